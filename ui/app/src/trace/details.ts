// What is known of the selected span beyond the skeleton. It is asked for when the
// span is selected, and the page changes when it is there: once, not first for an
// empty panel. Only an answer that lets wait is waited for in public.
import { ApiError, type SpanDetail } from "../api";

/** Milliseconds after which the page says that it waits. */
const patience = 60;

export class Details {
  spans: SpanDetail[] = []; // those of the last answer
  error: ApiError | null = null;
  private key = ""; // ids that were asked for last
  private abort: AbortController | null = null;
  private timer?: ReturnType<typeof setTimeout>;

  /** `changed` is called when there is something else to show. */
  constructor(private question: (ids: string[], signal: AbortSignal) => Promise<SpanDetail[]>, private changed: () => void) {}

  /** Asks for spans by id; not again if they were asked for last, unless that failed. Says whether an answer is to come. */
  ask(ids: string[]): boolean {
    if (ids.join() === this.key && !this.error) return this.abort !== null;
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    this.key = ids.join();
    this.error = null;
    this.timer ??= setTimeout(() => ((this.timer = undefined), this.changed()), patience);
    const settle = (spans: SpanDetail[], error: ApiError | null) => {
      if (abort.signal.aborted) return;
      this.settled();
      this.spans = spans;
      this.error = error;
      this.changed();
    };
    this.question(ids, abort.signal).then((spans) => settle(spans, null), (e: Error) => settle([], e instanceof ApiError ? e : new ApiError(0, e.message)));
    return true;
  }

  /** Nothing is selected. */
  drop() {
    this.abort?.abort();
    this.settled();
    this.key = "";
    this.spans = [];
    this.error = null;
  }

  private settled() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.abort = null;
  }
}
