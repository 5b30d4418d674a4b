// SPDX-License-Identifier: AGPL-3.0-only
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Book, groupLevels } from "../src/stream/book";
import { type Socket, Stream, type StreamState } from "../src/stream/socket";

class FakeSocket implements Socket {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onerror = null;
  sent: Record<string, unknown>[] = [];
  closed = false;
  private next = 0;

  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  say(message: object, skip = 0) {
    this.next += skip;
    this.onmessage?.({ data: JSON.stringify({ ...message, message_id: this.next++ }) });
  }
}

let sockets: FakeSocket[];
let states: StreamState[];
let stream: Stream;
const last = () => sockets.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  states = [];
  stream = new Stream(
    () => {
      sockets.push(new FakeSocket());
      return last();
    },
    (state) => states.push(state),
  );
  stream.start();
});

afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

function followed() {
  const told: unknown[] = [];
  const leave = stream.follow({
    channel: "v4_trades",
    id: "BTC-USD",
    snapshot: (contents) => told.push({ snapshot: contents }),
    update: (contents) => told.push({ update: contents }),
  });
  return { told, leave };
}

const SUBSCRIBED = { type: "subscribed", channel: "v4_trades", id: "BTC-USD", contents: 1 };
const update = (contents: unknown) => ({ type: "channel_data", channel: "v4_trades", id: "BTC-USD", contents });

describe("the stream", () => {
  it("subscribes when connected, and passes on what comes", () => {
    const { told } = followed();
    expect(last().sent).toEqual([]);
    last().say({ type: "connected" });
    expect(last().sent).toEqual([{ type: "subscribe", channel: "v4_trades", id: "BTC-USD" }]);
    last().say(SUBSCRIBED);
    last().say(update(2));
    expect(told).toEqual([{ snapshot: 1 }, { update: 2 }]);
    expect(states).toEqual(["connecting", "live"]);
  });

  it("starts over with a snapshot when a message is missing, and shows nothing of what came after the gap", () => {
    const { told } = followed();
    const first = last();
    first.say({ type: "connected" });
    first.say(SUBSCRIBED);
    first.say(update("after the gap"), 1);
    expect(first.closed).toBe(true);
    first.say(update("of the old connection"));
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(2);
    last().say({ type: "connected" });
    last().say({ ...SUBSCRIBED, contents: "fresh" });
    expect(told).toEqual([{ snapshot: 1 }, { snapshot: "fresh" }]);
    expect(stream.resyncs).toBe(1);
  });

  it("comes back after a drop, waiting longer each time", () => {
    followed();
    for (let drops = 1; drops <= 4; drops += 1) {
      last().onclose?.({});
      expect(states.at(-1)).toBe("down");
      vi.advanceTimersByTime(15_000);
      expect(sockets.length).toBe(drops + 1);
    }
    last().say({ type: "connected" });
    expect(last().sent[0]).toMatchObject({ type: "subscribe", channel: "v4_trades" });
    expect(states.at(-1)).toBe("live");
  });

  it("gives a connection up that says nothing", () => {
    last().say({ type: "connected" });
    vi.advanceTimersByTime(16_000);
    expect(last().sent).toContainEqual({ type: "ping" });
    vi.advanceTimersByTime(10_000);
    expect(sockets.length).toBe(2);
  });

  it("drops what is left over from an earlier subscription", () => {
    const old = followed();
    last().say({ type: "connected" });
    last().say(SUBSCRIBED);
    old.leave();
    const { told } = followed();
    last().say(update("left over"));
    last().say({ ...SUBSCRIBED, contents: "new" });
    last().say(update("next"));
    expect(told).toEqual([{ snapshot: "new" }, { update: "next" }]);
    expect(old.told).toEqual([{ snapshot: 1 }]);
  });

  it("asks again for what was refused because it came too fast", () => {
    followed();
    last().say({ type: "connected" });
    last().say({ type: "error", channel: "v4_trades", id: "BTC-USD", message: "too fast" });
    expect(last().sent.length).toBe(1);
    vi.advanceTimersByTime(2_000);
    expect(last().sent.length).toBe(2);
  });
});

describe("the book", () => {
  const made = () =>
    new Book(
      (text) => Number(text) * 100,
      (text) => Math.round(Number(text) * 10_000),
    );

  it("takes absolute sizes, forgets levels at zero, and keeps the best first", () => {
    const book = made();
    book.reset({
      bids: [
        { price: "99", size: "1" },
        { price: "98", size: "2" },
      ],
      asks: [{ price: "101", size: "1" }],
      seq: "5",
    });
    expect(
      book.apply({
        bids: [
          ["99", "0"],
          ["100", "3"],
        ],
        asks: [["101", "0.5"]],
        prevSeq: "5",
        seq: "6",
      }),
    ).toBe(true);
    expect(book.sides()).toMatchObject({
      bids: [
        { price: 10_000, size: 30_000 },
        { price: 9_800, size: 20_000 },
      ],
      asks: [{ price: 10_100, size: 5_000 }],
    });
  });

  it("refuses an update that does not follow", () => {
    const book = made();
    book.reset({ bids: [], asks: [], seq: "5" });
    expect(book.apply({ bids: [["1", "1"]], prevSeq: "6", seq: "7" })).toBe(false);
    expect(book.sides().bids).toEqual([]);
  });

  it("leaves out what the snapshot has already", () => {
    const book = made();
    book.reset({ bids: [{ price: "99", size: "1" }], asks: [], seq: "9" });
    expect(book.apply({ bids: [["99", "0"]], prevSeq: "7", seq: "8" })).toBe(true);
    expect(book.sides().bids.length).toBe(1);
  });

  it("knows by the checksum when it is not the exchange's", () => {
    const book = made();
    book.reset({ bids: [{ price: "99.5", size: "2" }], asks: [], seq: "5" });
    expect(book.agrees(book.sides())).toBe(true);
    book.apply({ bids: [["100", "1"]], prevSeq: "5", seq: "6", checksum: 1829186253 });
    expect(book.agrees(book.sides())).toBe(true);
    book.apply({ bids: [["98", "1"]], prevSeq: "6", seq: "7", checksum: 1829186253 });
    expect(book.agrees(book.sides())).toBe(false);
  });

  it("groups without making a price better than it is", () => {
    const levels = [
      { price: 101, size: 1 },
      { price: 104, size: 2 },
      { price: 106, size: 4 },
    ];
    expect(groupLevels(levels, 5, true)).toEqual([
      { price: 105, size: 3 },
      { price: 110, size: 4 },
    ]);
    expect(groupLevels([...levels].reverse(), 5, false)).toEqual([
      { price: 105, size: 4 },
      { price: 100, size: 3 },
    ]);
  });
});

describe("going on where it was", () => {
  const account = (contents: unknown, type = "channel_data") => ({
    type,
    channel: "v4_subaccounts",
    id: "0x1/0",
    contents,
  });

  function owner() {
    const told: unknown[] = [];
    stream.follow({
      channel: "v4_subaccounts",
      id: "0x1/0",
      snapshot: (contents) => told.push({ snapshot: contents }),
      update: (contents) => told.push((contents as { seq: number }).seq),
    });
    return told;
  }

  function drop() {
    last().onclose?.({});
    vi.advanceTimersByTime(1_000);
    last().say({ type: "connected" });
  }

  it("asks for what came after the last that it heard, and takes nothing twice", () => {
    const told = owner();
    last().say({ type: "connected" });
    last().say(account({ epoch: "a", seq: 5 }, "subscribed"));
    last().say(account({ epoch: "a", seq: 9 }));
    drop();
    expect(last().sent).toEqual([
      { type: "subscribe", channel: "v4_subaccounts", id: "0x1/0", epoch: "a", fromSeq: 9 },
    ]);
    last().say(account({ resumed: true, epoch: "a", seq: 9 }, "subscribed"));
    last().say(account({ epoch: "a", seq: 9 }));
    last().say(account({ epoch: "a", seq: 12 }));
    expect(told).toEqual([{ snapshot: { epoch: "a", seq: 5 } }, 9, 12]);
  });

  it("takes a snapshot where the server begins a new epoch, and counts from there", () => {
    const told = owner();
    last().say({ type: "connected" });
    last().say(account({ epoch: "a", seq: 50 }, "subscribed"));
    drop();
    last().say(account({ epoch: "b", seq: 2 }, "subscribed"));
    last().say(account({ epoch: "b", seq: 3 }));
    expect(told).toEqual([{ snapshot: { epoch: "a", seq: 50 } }, { snapshot: { epoch: "b", seq: 2 } }, 3]);
  });
});

describe("one channel anew", () => {
  it("keeps the connection, and shows nothing until the snapshot", () => {
    const told: unknown[] = [];
    const feed = {
      channel: "v4_orderbook",
      id: "BTC-USD",
      snapshot: (contents: unknown) => told.push({ snapshot: contents }),
      update: (contents: unknown) => told.push(contents),
    };
    stream.follow(feed);
    last().say({ type: "connected" });
    const book = { channel: "v4_orderbook", id: "BTC-USD" };
    last().say({ type: "subscribed", ...book, contents: 1 });
    stream.renew(feed);
    stream.renew(feed);
    last().say({ type: "channel_data", ...book, contents: 2 });
    last().say({ type: "subscribed", ...book, contents: 3 });
    expect(told).toEqual([{ snapshot: 1 }, { snapshot: 3 }]);
    expect(sockets.length).toBe(1);
    expect(last().sent.map((sent) => sent.type)).toEqual(["subscribe", "unsubscribe", "subscribe"]);
  });
});
