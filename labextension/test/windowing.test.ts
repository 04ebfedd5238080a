import { describe, expect, it } from 'vitest';

import { drawn, moved, pool, revealed, visible } from '../src/jobs/windowing';

const view = { top: 0, height: 300, row: 60 };

describe('windowing', () => {
  it('draws what is seen and a little around it, however long the list is', () => {
    expect(drawn(view, 10_000)).toEqual({ first: 0, last: 11 });
    expect(drawn({ ...view, top: 300_030 }, 10_000)).toEqual({
      first: 4994,
      last: 5012
    });
    expect(drawn({ ...view, top: 599_700 }, 10_000)).toEqual({
      first: 9989,
      last: 10_000
    });
  });

  it('draws no more than is seen while one jump follows another', () => {
    const far = { ...view, top: 300_030, far: true };
    expect(drawn(far, 10_000)).toEqual({ first: 5000, last: 5006 });
  });

  it('never draws more rows than it has elements for', () => {
    for (let top = 0; top < 700; top += 7) {
      const { first, last } = drawn({ ...view, top }, 10_000);
      expect(last - first).toBeLessThanOrEqual(pool(view));
    }
  });

  it('draws nothing of nothing, and survives a list that became shorter', () => {
    expect(drawn(view, 0)).toEqual({ first: 0, last: 0 });
    expect(visible({ ...view, top: 6000 }, 3)).toEqual({ first: 3, last: 3 });
    expect(visible({ ...view, top: -20 }, 3)).toEqual({ first: 0, last: 3 });
  });

  it('scrolls only as far as is needed to see a row', () => {
    const scrolled = { ...view, top: 600 };
    expect(revealed(scrolled, 12)).toBe(600);
    expect(revealed(scrolled, 9)).toBe(540);
    expect(revealed(scrolled, 15)).toBe(660);
  });

  it('moves by the keys of a list and stays in it', () => {
    const go = (key: string, from: number): number | null =>
      moved(key, from, 100, 5);
    expect(go('ArrowDown', -1)).toBe(0);
    expect(go('ArrowDown', 99)).toBe(99);
    expect(go('PageUp', 3)).toBe(0);
    expect(go('PageDown', 3)).toBe(8);
    expect(go('End', 0)).toBe(99);
    expect(go('Home', 50)).toBe(0);
    expect(go('x', 50)).toBeNull();
    expect(moved('ArrowDown', -1, 0, 5)).toBeNull();
  });
});
