import { describe, expect, it } from 'vitest';

import { isRemote, newestOfCells, paired } from '../src/outputs/matching';

const cell = (id: string, source: string): { id: string; source: string } => ({
  id,
  source
});

function names(
  sent: { id: string; source: string }[],
  here: { id: string; source: string }[]
): string[] {
  return paired(sent, here).map(pair => `${pair.sent.id}-${pair.here}`);
}

describe('cells that were sent', () => {
  it('are found by id, wherever they are and whatever stands in them now', () => {
    const sent = [cell('a', '1'), cell('b', '2'), cell('c', '3')];
    const here = [cell('c', '3'), cell('x', 'new'), cell('a', 'edited')];
    expect(names(sent, here)).toEqual(['a-a', 'c-c']);
  });

  it('are found by their text where ids are others, each once', () => {
    const sent = [cell('a', 'x'), cell('b', 'x'), cell('c', 'y')];
    const here = [cell('1', 'x'), cell('2', 'new'), cell('3', 'x')];
    expect(names(sent, here)).toEqual(['a-1', 'b-3']);
  });

  it('do not take one that has its own', () => {
    const sent = [cell('a', 'x'), cell('b', 'x')];
    const here = [cell('b', 'x'), cell('1', 'x')];
    expect(names(sent, here)).toEqual(['b-b', 'a-1']);
  });
});

describe('cells that run elsewhere', () => {
  it('show their newest job', () => {
    const jobs = [
      { id: '3', cell: 'a' },
      { id: '2', cell: 'b' },
      { id: '1', cell: 'a' },
      { id: '0', cell: null }
    ];
    const found = newestOfCells(jobs);
    expect([...found].map(([id, job]) => id + job.id)).toEqual(['a3', 'b2']);
  });

  it('begin with the magic', () => {
    expect(isRemote('%%remote dgx --gpus 2\nx = 1')).toBe(true);
    expect(isRemote('%%remotely')).toBe(false);
    expect(isRemote('x = "%%remote"')).toBe(false);
  });
});
