// SPDX-License-Identifier: AGPL-3.0-only
/**
 * One WebSocket for everything. Every server message of a connection is numbered: a gap, or an error that says that a
 * channel is broken, and the connection is thrown away. On a new one, channels whose messages are numbered for good go on
 * after the last one that was heard; all others, and those that the server cannot take up again, begin with snapshots.
 */

export interface Feed {
  channel: string;
  id?: string;
  auth?: () => string | undefined;
  /** The whole state: at the start, and after an interruption over which it cannot go on. */
  snapshot(contents: unknown): void;
  update(contents: unknown): void;
  /** It goes on where it was: what was missed follows as updates. */
  resumed?(): void;
  error?: (message: string) => void;
}

/** Where a channel is that can go on where it was: numbers of different epochs have nothing to do with one another. */
interface Place {
  epoch: string;
  seq: number;
}

export type StreamState = "connecting" | "live" | "down";

/** The part of a browser's WebSocket that is used; tests bring their own. */
export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: unknown) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(): void;
}

interface Message {
  type: string;
  message_id?: number;
  channel?: string;
  id?: string;
  contents?: unknown;
  message?: string;
}

const SILENCE_MS = 20_000;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15_000;
const REFUSED_WAIT_MS = 1_500;

function placeOf(contents: unknown): Place | undefined {
  const { epoch, seq } = (contents ?? {}) as { epoch?: unknown; seq?: unknown };
  return typeof epoch === "string" && typeof seq === "number" ? { epoch, seq } : undefined;
}

const key = (channel: string, id?: string) => (id ? `${channel} ${id}` : channel);

export class Stream {
  private socket: Socket | null = null;
  private feeds = new Map<string, Feed>();
  /** Feeds that have their snapshot; what comes for others is left over from an earlier subscription. */
  private begun = new Set<Feed>();
  private places = new Map<Feed, Place>();
  private expected = 0;
  private failures = 0;
  private lastHeard = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private stopped = true;
  /** How often a connection was replaced because a message was missing or did not follow. */
  resyncs = 0;

  constructor(
    private readonly open: () => Socket,
    private readonly onState: (state: StreamState) => void = () => {},
  ) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.connect();
    this.watch = setInterval(() => this.check(), 5_000);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearInterval(this.watch);
    this.drop();
  }

  /** Follows a channel until the function that it returns is called. */
  follow(feed: Feed): () => void {
    const name = key(feed.channel, feed.id);
    const before = this.feeds.get(name);
    this.feeds.set(name, feed);
    if (before) this.places.delete(before);
    if (before && this.expected > 0) this.send({ type: "unsubscribe", channel: feed.channel, id: feed.id });
    if (this.expected > 0) this.subscribe(feed);
    return () => {
      if (this.feeds.get(name) !== feed) return;
      this.feeds.delete(name);
      this.begun.delete(feed);
      this.places.delete(feed);
      if (this.expected > 0) this.send({ type: "unsubscribe", channel: feed.channel, id: feed.id });
    };
  }

  /** Asks for one channel's snapshot anew: what came last did not follow what came before. */
  renew(feed: Feed): void {
    if (!this.begun.delete(feed)) return;
    this.resyncs += 1;
    this.send({ type: "unsubscribe", channel: feed.channel, id: feed.id });
    this.subscribe(feed);
  }

  /** Throws the connection away: a message of it is missing. */
  private resync(): void {
    this.resyncs += 1;
    this.drop();
    this.again(0);
  }

  /** Tries at once instead of waiting, for when the network is back. */
  nudge(): void {
    if (this.stopped || this.socket) return;
    clearTimeout(this.retry);
    this.connect();
  }

  private connect(): void {
    this.onState("connecting");
    this.expected = 0;
    this.begun.clear();
    const socket = this.open();
    this.socket = socket;
    this.lastHeard = Date.now();
    socket.onmessage = (event) => {
      if (socket === this.socket) this.receive(String(event.data));
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = null;
      this.expected = 0;
      this.onState("down");
      this.again(this.wait());
    };
    socket.onerror = () => {};
  }

  private receive(text: string): void {
    this.lastHeard = Date.now();
    const message = JSON.parse(text) as Message;
    if (message.message_id !== undefined) {
      if (message.message_id !== this.expected) {
        this.resync();
        return;
      }
      this.expected += 1;
    }
    if (message.type === "connected") {
      this.failures = 0;
      this.onState("live");
      for (const feed of this.feeds.values()) this.subscribe(feed);
      return;
    }
    const feed = message.channel ? this.feeds.get(key(message.channel, message.id)) : undefined;
    if (!feed) return;
    if (message.type === "subscribed") {
      this.begun.add(feed);
      const place = placeOf(message.contents);
      if (place) this.places.set(feed, place);
      else this.places.delete(feed);
      if ((message.contents as { resumed?: boolean } | null)?.resumed) feed.resumed?.();
      else feed.snapshot(message.contents);
    } else if (message.type === "channel_data") {
      if (this.begun.has(feed) && this.follows(feed, message.contents)) feed.update(message.contents);
    } else if (message.type === "error") {
      this.refused(feed, message.message ?? "");
    }
  }

  /** False for what was heard already. */
  private follows(feed: Feed, contents: unknown): boolean {
    const before = this.places.get(feed);
    const place = before && placeOf(contents);
    if (!place) return true;
    if (place.epoch === before.epoch && place.seq <= before.seq) return false;
    this.places.set(feed, place);
    return true;
  }

  /** A subscription that came too fast is asked for again; any other refusal is the feed's to tell. */
  private refused(feed: Feed, reason: string): void {
    feed.error?.(reason);
    setTimeout(() => {
      const current = this.feeds.get(key(feed.channel, feed.id)) === feed;
      if (current && this.expected > 0 && !this.begun.has(feed)) this.subscribe(feed);
    }, REFUSED_WAIT_MS);
  }

  private subscribe(feed: Feed): void {
    const auth = feed.auth?.();
    const place = this.places.get(feed);
    this.send({
      type: "subscribe",
      channel: feed.channel,
      id: feed.id,
      ...(auth ? { auth } : {}),
      ...(place ? { epoch: place.epoch, fromSeq: place.seq } : {}),
    });
  }

  private send(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.expected = 0;
    socket?.close();
  }

  private again(wait: number): void {
    if (this.stopped) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), wait);
  }

  private wait(): number {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    return longest * (0.5 + Math.random() / 2);
  }

  /** A connection that says nothing may be dead without having been closed. */
  private check(): void {
    if (!this.socket) return;
    const silent = Date.now() - this.lastHeard;
    if (silent > SILENCE_MS) {
      this.drop();
      this.onState("down");
      this.again(0);
    } else if (silent > SILENCE_MS / 2 && this.expected > 0) {
      this.send({ type: "ping" });
    }
  }
}
