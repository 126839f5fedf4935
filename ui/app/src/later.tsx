// Views that are loaded when they are first shown. Not React.lazy: Suspense holds
// back what replaces a "Loading…" for 300 ms, which is longer than loading takes.
import { type ComponentType, useEffect, useState } from "react";

export type Later<P> = ComponentType<P> & { preload: () => Promise<unknown> };

export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): Later<P> {
  let view: ComponentType<P> | undefined;
  let coming: Promise<unknown> | undefined;
  const preload = () =>
    (coming ??= load().then(
      (m) => (view = m.default),
      (e: Error) => {
        coming = undefined; // so that the next visit tries again
        throw e;
      },
    ));
  function Shown(props: P) {
    const [, turn] = useState<unknown>();
    const View = view;
    useEffect(() => {
      // Not "if (!view)": it may have come since this was drawn without it.
      if (!View) preload().then(() => turn({}), (e: Error) => turn(() => { throw e; })); // for the boundary above
    }, []);
    return View ? <View {...props} /> : <p className="loading">Loading…</p>;
  }
  return Object.assign(Shown, { preload });
}
