import { describe, expect, it } from 'vitest';

import { placeOf, type Rows, unknown, withPage } from '../../src/manager/rows';
import { job } from '../jobs';

/** Jobs by their letters, a dot for one that is not known. */
function rows(letters: string): Rows {
  return letters.split('').map(id => (id === '.' ? undefined : job(id)));
}

function letters(some: Rows): string {
  return some.map(one => one?.id ?? '.').join('');
}

function page(ids: string): ReturnType<typeof job>[] {
  return ids.split('').map(id => job(id));
}

describe('rows of which parts are known', () => {
  it('take in pages where they belong', () => {
    expect(letters(withPage([], 0, page('hg'), false))).toBe('hg');
    expect(letters(withPage(rows('hg'), 4, page('dc'), false))).toBe('hg..dc');
    expect(letters(withPage(rows('hg..dc'), 6, page('b'), true))).toBe(
      'hg..dcb'
    );
    expect(letters(withPage(rows('hg..dcba'), 4, page('d'), true))).toBe(
      'hg..d'
    );
  });

  it('forget what is not where it was', () => {
    // one has come above, unseen: what was at 2 is at 3 now
    expect(letters(withPage(rows('hgfe'), 2, page('gf'), false))).toBe('h.gf');
    // one has gone
    expect(letters(withPage(rows('hgfe'), 0, page('hf'), false))).toBe('hf.e');
  });

  it('know where a job is, as far as that is known', () => {
    const some = rows('hg..dc');
    const places = (
      [
        ['z', 0, true],
        ['g', 1, true],
        ['e', 4, false],
        ['d', 4, false],
        ['a', 6, false]
      ] as const
    ).map(([id]) => [id, placeOf(some, id, false)] as const);
    expect(places.map(([id, { at, certain }]) => [id, at, certain])).toEqual([
      ['z', 0, true],
      ['g', 1, true],
      ['e', 4, false],
      ['d', 4, false],
      ['a', 6, false]
    ]);
    expect(placeOf(some, 'd', false).here?.id).toBe('d');
    expect(placeOf(some, 'a', true).certain).toBe(true);
    expect(placeOf(rows('c.'), 'a', true).certain).toBe(false);
  });

  it('know what is missing', () => {
    expect(unknown(rows('hg..dc'), 0, 6)).toBe(2);
    expect(unknown(rows('hg..dc'), 4, 6)).toBe(null);
    expect(unknown(rows('hg'), 0, 3)).toBe(2);
  });
});
