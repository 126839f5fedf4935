import { expect, test } from "vitest";
import { palette } from "./theme-colors";

type Three = [number, number, number];
const linear = (hex: string) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as Three;
/** As somebody without green cones sees it (Machado, Oliveira and Fernandes 2009, severity 1). */
const deuteranope = ([r, g, b]: Three) =>
  [0.367322 * r + 0.860646 * g - 0.227968 * b, 0.280085 * r + 0.672501 * g + 0.047413 * b, -0.01182 * r + 0.04294 * g + 0.968881 * b].map((x) => Math.max(0, Math.min(1, x))) as Three;
const lab = ([r, g, b]: Three) => {
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047), y = f(0.2126 * r + 0.7152 * g + 0.0722 * b), z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)] as Three;
};
const apart = (a: Three, b: Three) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const light = ([r, g, b]: Three) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
const contrast = (a: string, b: string) => {
  const [x, y] = [light(linear(a)), light(linear(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};

test("52: neighbours in the palette differ without green cones too", () => {
  palette.forEach((c, i) => {
    const next = palette[(i + 1) % palette.length]!;
    expect(apart(lab(deuteranope(linear(c))), lab(deuteranope(linear(next)))), `${c} ${next}`).toBeGreaterThan(15);
  });
});

test("52: bars stand out from the panel of both themes", () => {
  for (const c of palette) for (const panel of ["#ffffff", "#1b1e25"]) expect(contrast(c, panel), `${c} on ${panel}`).toBeGreaterThanOrEqual(3);
});
