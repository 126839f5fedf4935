// A text field for a query that completes keys, then values, with counts.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { json } from "./api";
import { quoteIfNeeded, typing } from "./complete";
import { count } from "./format";

interface Choice { text: string; spans: number }

export function QueryInput({ value, onChange, onSubmit, service, placeholder, label, describedBy, invalid, lookback, logfmt, className, inputId, quiet }: {
  value: string;
  onChange: (v: string) => void;
  onSubmit?: () => void;
  service?: string;
  placeholder?: string;
  label: string;
  describedBy?: string;
  invalid?: boolean;
  lookback?: string;
  logfmt?: boolean; // only key=value
  className?: string;
  inputId?: string;
  quiet?: boolean; // completes nothing: what is typed is about a file, and stays here
}) {
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const [choices, setChoices] = useState<Choice[]>([]);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [caret, setCaret] = useState(0);
  const marked = useRef<string | undefined>(undefined);
  marked.current = choices[active]?.text;
  const at = typing(value, Math.min(caret, value.length));

  useEffect(() => {
    if (!open || quiet) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const q = new URLSearchParams({ prefix: at.prefix, limit: "30", lookback: lookback ?? "1h" });
      if (service) q.set("service", service);
      if (at.kind === "value") q.set("key", at.key);
      const path = at.kind === "key" ? "tags/keys" : "tags/values";
      json<{ keys?: { key: string; spans: number }[]; values?: { value: string; spans: number }[] }>(`${path}?${q}`, abort.signal).then(
        (a) => {
          const found = a.keys?.map((k) => ({ text: k.key, spans: k.spans })) ?? a.values?.map((v) => ({ text: v.value, spans: v.spans })) ?? [];
          const extra = at.kind === "key" && !logfmt ? ["service", "operation", "duration", "error"].filter((k) => k.startsWith(at.prefix.toLowerCase()) && !found.some((f) => f.text === k)) : [];
          const next = [...extra.map((text) => ({ text, spans: 0 })), ...found];
          setChoices(next);
          setActive(next.findIndex((c) => c.text === marked.current)); // what was marked meanwhile stays so
        },
        () => abort.signal.aborted || setChoices([]), // completion is a help, not a promise
      );
    }, 80);
    return () => (clearTimeout(timer), abort.abort());
  }, [open, at.kind, at.key, at.prefix, service, lookback, logfmt]);

  const take = (c: Choice) => {
    const insert = quoteIfNeeded(c.text) + (at.kind === "key" ? "=" : " ");
    const next = value.slice(0, at.from) + insert + value.slice(at.to).replace(/^\s+/, "");
    onChange(next);
    const pos = at.from + insert.length;
    setCaret(pos);
    setActive(-1);
    place.current = pos;
  };
  // At once: by the next frame more may have been typed.
  const place = useRef(-1);
  useLayoutEffect(() => {
    if (place.current < 0) return;
    input.current?.focus();
    input.current?.setSelectionRange(place.current, place.current);
    place.current = -1;
  }, [value]);
  const shown = open && choices.length > 0;
  return (
    <div className={`complete ${className ?? ""}`}>
      <input
        ref={input}
        id={inputId}
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded={shown}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown && active >= 0 ? `${list}-${active}` : undefined}
        aria-describedby={describedBy}
        aria-invalid={invalid || undefined}
        placeholder={placeholder}
        value={value}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        onChange={(e) => (onChange(e.target.value), setCaret(e.target.selectionStart ?? 0), setOpen(true))}
        onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown" || e.key === "ArrowUp") {
            if (!shown) return setOpen(true);
            e.preventDefault();
            setActive((a) => (a + (e.key === "ArrowDown" ? 1 : -1) + choices.length + (a < 0 && e.key === "ArrowUp" ? 1 : 0)) % choices.length);
          } else if ((e.key === "Enter" || e.key === "Tab") && shown && active >= 0) {
            e.preventDefault();
            take(choices[active]!);
          } else if (e.key === "Enter") {
            if (onSubmit) (e.preventDefault(), setOpen(false), onSubmit());
          } else if (e.key === "Escape" && shown) {
            e.stopPropagation();
            setOpen(false);
          }
        }}
      />
      <ul id={list} role="listbox" aria-label={`${label}: suggestions`} className="choices" hidden={!shown}>
        {shown &&
          choices.map((c, i) => (
            <li key={c.text} id={`${list}-${i}`} role="option" aria-selected={i === active} onPointerDown={(e) => (e.preventDefault(), take(c))}>
              <bdi>{c.text.length > 120 ? c.text.slice(0, 120) + "…" : c.text}</bdi>
              {c.spans > 0 && <span className="dim">{count(c.spans)}</span>}
            </li>
          ))}
      </ul>
    </div>
  );
}
