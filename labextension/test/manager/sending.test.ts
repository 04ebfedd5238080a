import { describe, expect, it } from 'vitest';

import { Sendings } from '../../src/manager/sending';

describe('submits under way', () => {
  it('are there until they are answered, the last one first', async () => {
    const sendings = new Sendings();
    let refuse: (error: Error) => void = () => undefined;
    const what = { name: 'a', target: 'dgx' };
    let trouble: (words: string) => void = () => undefined;
    const first = sendings.watch(what, tell => {
      trouble = tell;
      return new Promise((_, reject) => {
        refuse = reject;
      });
    });
    let told = 0;
    sendings.changed.connect(() => {
      told += 1;
    });
    const second = sendings.watch({ ...what, name: 'b' }, () =>
      Promise.resolve(2)
    );
    expect(sendings.items.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(await second).toBe(2);
    expect(sendings.items).toEqual([what]);
    trouble('nobody answers');
    expect(sendings.items).toEqual([{ ...what, trouble: 'nobody answers' }]);
    refuse(new Error('no'));
    await expect(first).rejects.toThrow('no');
    expect(sendings.items).toEqual([]);
    expect(told).toBe(4);
  });
});
