// SPDX-License-Identifier: AGPL-3.0-only
import { render } from "preact";

render(<main>Ouro</main>, document.getElementById("app")!);
