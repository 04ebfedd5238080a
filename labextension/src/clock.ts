/** The server's clock, by which all times of jobs are told: the browser's may be another, or be set. */

/** Seconds by which an answer cannot tell one clock from the other: its time is in whole ones. */
const SLACK = 2;

/** What the server's clock showed when `ticks` was 0, as far as is known. */
let zero = Date.now() / 1000 - ticks();
/** The same as the server said first; null before that. */
let first: number | null = null;

/** Seconds since the epoch. */
export function serverNow(): number {
  return zero + ticks();
}

/** The time now, to be asked for when the server's clock is known better. */
export function moment(): () => number {
  const at = ticks();
  // later the clocks may part, for our ticks stand still while a laptop sleeps
  const then = first === null ? null : zero;
  return () => (then ?? first ?? zero) + at;
}

/** Seconds of a clock that nobody sets. */
export function ticks(): number {
  return performance.now() / 1000;
}

/** The server says its time (`Date` of HTTP) in an answer to what was asked at that tick. */
export function hear(date: string | null, asked: number): void {
  const said = Date.parse(date ?? '') / 1000;
  const answered = ticks();
  // it was said somewhere between, and the half of a second that is cut off is the likeliest
  const found = said + 0.5 - (asked + answered) / 2;
  if (Math.abs(found - zero) > SLACK + (answered - asked) / 2) {
    zero = found;
  }
  if (!Number.isNaN(found)) {
    first ??= zero;
  }
}
