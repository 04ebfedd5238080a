import { expect, it } from 'vitest';

import { hear, moment, serverNow, ticks } from '../src/clock';

const said = (seconds: number): string =>
  new Date(seconds * 1000).toUTCString();
const DAY = 86_400;

it('is the browser’s until the server says another one', () => {
  const here = Date.now() / 1000;
  expect(Math.abs(serverNow() - here)).toBeLessThan(1);
  const began = moment();
  hear(said(here), ticks());
  hear(null, ticks());
  hear('a proxy’s own words', ticks());
  expect(Math.abs(serverNow() - here)).toBeLessThan(1);
  const later = moment();
  for (const ahead of [DAY, -DAY, 600, 0]) {
    hear(said(here + ahead), ticks());
    expect(Math.abs(serverNow() - here - ahead)).toBeLessThan(3);
    // what was is no other time where the clocks part afterwards, as a sleeping laptop's do
    expect(Math.abs(began() - here)).toBeLessThan(3);
    expect(Math.abs(later() - here)).toBeLessThan(3);
  }
});

it('takes the time that an answer took for no other clock', () => {
  const before = serverNow();
  // asked 20 seconds ago, and said at once
  hear(said(before - 20), ticks() - 20);
  expect(serverNow() - before).toBeLessThan(1);
});
