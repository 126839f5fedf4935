import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, type SpanDetail } from "../api";
import { Details } from "./details";

const span = (id: string) => ({ id, view: id }) as SpanDetail;

/** Details whose answers come when the test says so, and what was asked. */
function made() {
  const asked: { ids: string[]; signal: AbortSignal; answer: (spans: SpanDetail[]) => void; fail: (e: Error) => void }[] = [];
  const changed = vi.fn();
  const details = new Details((ids, signal) => new Promise((answer, fail) => asked.push({ ids, signal, answer, fail })), changed);
  return { asked, changed, details };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("an answer that comes soon is one change of the page", async () => {
  const { asked, changed, details } = made();
  expect(details.ask(["a", "b"])).toBe(true);
  expect(asked[0]!.ids).toEqual(["a", "b"]);
  asked[0]!.answer([span("a")]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(changed).toHaveBeenCalledTimes(1);
  expect(details.spans).toEqual([span("a")]);
});

test("an answer that lets wait is waited for in public", async () => {
  const { asked, changed, details } = made();
  details.ask(["a"]);
  await vi.advanceTimersByTimeAsync(59);
  expect(changed).toHaveBeenCalledTimes(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(changed).toHaveBeenCalledTimes(1);
  asked[0]!.answer([span("a")]);
  await vi.advanceTimersByTimeAsync(0);
  expect(changed).toHaveBeenCalledTimes(2);
});

test("walking on does not put off that it waits, and only the last answer counts", async () => {
  const { asked, changed, details } = made();
  for (const id of ["a", "b", "c"]) {
    details.ask([id]);
    await vi.advanceTimersByTimeAsync(25);
  }
  expect(changed).toHaveBeenCalledTimes(1);
  expect(asked.map((a) => a.signal.aborted)).toEqual([true, true, false]);
  asked[0]!.answer([span("a")]);
  asked[1]!.fail(new Error("aborted"));
  asked[2]!.answer([span("c")]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(details.spans).toEqual([span("c")]);
  expect(details.error).toBeNull();
});

test("what is known or on its way is not asked for again, what failed is", async () => {
  const { asked, details } = made();
  details.ask(["a"]);
  expect(details.ask(["a"])).toBe(true);
  asked[0]!.answer([span("a")]);
  await vi.advanceTimersByTimeAsync(0);
  expect(details.ask(["a"])).toBe(false);
  expect(asked.length).toBe(1);
  details.ask(["b"]);
  asked[1]!.fail(new ApiError(503, "busy"));
  await vi.advanceTimersByTimeAsync(0);
  expect(details.error?.status).toBe(503);
  expect(details.ask(["b"])).toBe(true);
  expect(details.error).toBeNull();
  asked[2]!.answer([span("b")]);
  await vi.advanceTimersByTimeAsync(0);
  expect(details.spans).toEqual([span("b")]);
});

test("when nothing is selected any more the answer is not wanted", async () => {
  const { asked, changed, details } = made();
  details.ask(["a"]);
  details.drop();
  expect(asked[0]!.signal.aborted).toBe(true);
  asked[0]!.answer([span("a")]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(changed).toHaveBeenCalledTimes(0);
  expect(details.spans).toEqual([]);
  expect(details.ask(["a"])).toBe(true);
});
