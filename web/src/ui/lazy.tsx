// SPDX-License-Identifier: AGPL-3.0-only
/** A component whose code is fetched when it is first shown. */

import { type ComponentType, Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";

export function lazily<P extends object>(
  load: () => Promise<ComponentType<P>>,
  fallback: () => preact.ComponentChild = () => null,
) {
  let loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [Found, setFound] = useState<ComponentType<P> | null>(() => loaded);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (Found) return;
      load().then(
        (component) => {
          loaded = component;
          setFound(() => component);
        },
        () => setFailed(true),
      );
    }, []);
    if (failed) {
      return (
        <p class="note bad">
          This part of the app could not be loaded. <a href={location.pathname}>Load the page again</a>.
        </p>
      );
    }
    return Found ? <Found {...props} /> : <Fragment>{fallback()}</Fragment>;
  };
}
