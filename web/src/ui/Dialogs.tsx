// SPDX-License-Identifier: AGPL-3.0-only
import { dialog } from "../state/view";
import { Confirm } from "./Confirm";
import { lazily } from "./lazy";

const Connect = lazily(() => import("./dialogs/Connect").then((module) => module.Connect));
const Deposit = lazily(() => import("./dialogs/Deposit").then((module) => module.Deposit));
const Withdraw = lazily(() => import("./dialogs/Withdraw").then((module) => module.Withdraw));
const Transfer = lazily(() => import("./dialogs/Transfer").then((module) => module.Transfer));
const Alerts = lazily(() => import("./dialogs/Alerts").then((module) => module.Alerts));
const Palette = lazily(() => import("./dialogs/Palette").then((module) => module.Palette));
const ClosePosition = lazily(() => import("./dialogs/ClosePosition").then((module) => module.ClosePosition));
const ExitOrders = lazily(() => import("./dialogs/ExitOrders").then((module) => module.ExitOrders));
const Amend = lazily(() => import("./dialogs/Amend").then((module) => module.Amend));

export function Dialogs() {
  const open = dialog.value;
  switch (open?.kind) {
    case "connect":
      return <Connect />;
    case "deposit":
      return <Deposit into={open.into} />;
    case "withdraw":
      return <Withdraw />;
    case "transfer":
      return <Transfer />;
    case "alerts":
      return <Alerts />;
    case "palette":
      return <Palette />;
    case "closePosition":
      return <ClosePosition key={open.market} market={open.market} />;
    case "exits":
      return <ExitOrders key={open.market} market={open.market} />;
    case "amend":
      return <Amend key={open.order} order={open.order} at={open.price} />;
    case "confirm":
      return <Confirm {...open} />;
    default:
      return null;
  }
}
