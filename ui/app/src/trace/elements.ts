// Small parts of the timeline's rows, which are made without React.

export function make(tag: string, className: string, parent?: HTMLElement): HTMLElement {
  const e = document.createElement(tag);
  e.className = className;
  parent?.append(e);
  return e;
}

/** A name cut to the longest that Kubernetes allows. */
export const short = (name: string) => (name.length > 63 ? name.slice(0, 62) + "…" : name);

/** Sets an element's text without making a new node for it. */
export function put(e: HTMLElement, text: string) {
  const node = e.firstChild as Text | null;
  if (!node) e.append(text);
  else if (node.data !== text) node.data = text;
}
