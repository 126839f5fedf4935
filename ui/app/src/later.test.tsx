// A view can come at any instant; the one that was missed lies between the
// drawing without it and the effect after. React's two steps are taken one by
// one here, for no browser stops between them.
import type { ReactElement } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { later } from "./later";

const steps = vi.hoisted(() => ({ effects: [] as (() => void)[], redraws: 0, thrown: [] as unknown[] }));
vi.mock("react", () => ({
  useState: () => [
    undefined,
    (v: unknown) => {
      steps.redraws++;
      try {
        if (typeof v === "function") (v as () => void)();
      } catch (e) {
        steps.thrown.push(e); // React throws it when it draws
      }
    },
  ],
  useEffect: (f: () => void) => steps.effects.push(f),
}));

beforeEach(() => Object.assign(steps, { effects: [], redraws: 0, thrown: [] }));

const View = () => null;
const settle = () => new Promise((r) => setTimeout(r)); // all promises that can be kept are
const draw = (of: unknown) => (of as (props: object) => ReactElement)({}).type;
const runEffects = () => steps.effects.splice(0).forEach((f) => f());

function coming() {
  let come!: () => void, fail!: (e: Error) => void, asked = 0;
  const Shown = later(() => (asked++, new Promise<{ default: typeof View }>((done, no) => ((come = () => done({ default: View })), (fail = no)))));
  return { Shown, come: () => come(), fail: (e: Error) => fail(e), asked: () => asked };
}

test("a view that comes between drawing and its effect is drawn", async () => {
  const { Shown, come, asked } = coming();
  void Shown.preload(); // as the page does before React is there
  expect(draw(Shown)).toBe("p"); // Loading…
  come();
  await settle(); // it is there now, and nothing knows
  runEffects();
  await settle();
  expect(steps.redraws).toBe(1);
  expect(draw(Shown)).toBe(View);
  expect(asked()).toBe(1);
});

test("a view that comes after the effect is drawn, one that was there needs nothing", async () => {
  const { Shown, come } = coming();
  expect(draw(Shown)).toBe("p");
  runEffects();
  await settle();
  expect(steps.redraws).toBe(0);
  come();
  await settle();
  expect(steps.redraws).toBe(1);
  expect(draw(Shown)).toBe(View);
  runEffects();
  await settle();
  expect(steps.redraws).toBe(1);
});

test("a view that cannot be loaded is told to the boundary, and asked for again", async () => {
  const { Shown, come, fail, asked } = coming();
  draw(Shown);
  runEffects();
  fail(new Error("gone"));
  await settle();
  expect(steps.thrown).toEqual([new Error("gone")]);
  draw(Shown);
  runEffects();
  come();
  await settle();
  expect(asked()).toBe(2);
  expect(draw(Shown)).toBe(View);
});
