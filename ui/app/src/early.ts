/** Answers that were asked for before the view that needs them is there. Each is given once. */
export class Early<T> {
  private asked = new Map<string, { answer: Promise<T>; value?: T }>();

  ask(key: string, answer: Promise<T>): void {
    const a: { answer: Promise<T>; value?: T } = { answer };
    this.asked.set(key, a);
    answer.then((v) => (a.value = v), () => {}); // whoever takes it hears of a failure
  }

  /** The answer if it has come. */
  known = (key: string): T | undefined => this.asked.get(key)?.value;

  take(key: string): Promise<T> | undefined {
    const a = this.asked.get(key);
    this.asked.delete(key);
    return a?.answer;
  }

  /** Settles when all have come. */
  settled = () => Promise.allSettled([...this.asked.values()].map((a) => a.answer));
}
