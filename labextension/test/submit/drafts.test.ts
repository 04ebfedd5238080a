import { beforeEach, describe, expect, it } from 'vitest';

import { EMPTY } from '../../src/submit/draft';
import { Drafts } from '../../src/submit/drafts';

describe('drafts', () => {
  beforeEach(() => sessionStorage.clear());

  it('are kept for each notebook of each server', () => {
    const draft = { ...EMPTY, gpus: '2', parameters: { n: '4' } };
    new Drafts('/user/a/', 'x.ipynb').set(draft);
    expect(new Drafts('/user/a/', 'x.ipynb').get()).toEqual(draft);
    expect(new Drafts('/user/a/', 'y.ipynb').get()).toBeUndefined();
    expect(new Drafts('/user/b/', 'x.ipynb').get()).toBeUndefined();
  });

  it('are forgotten', () => {
    const drafts = new Drafts('/', 'x.ipynb');
    drafts.set(EMPTY);
    drafts.set(null);
    expect(drafts.get()).toBeUndefined();
  });

  it('of another version are read as far as they can be', () => {
    const drafts = new Drafts('/', 'x.ipynb');
    drafts.set({ ...EMPTY, gpus: 3, name: 'a', more: true } as never);
    expect(drafts.get()).toEqual({ ...EMPTY, name: 'a' });
    sessionStorage.setItem(sessionStorage.key(0) ?? '', '{');
    expect(drafts.get()).toBeUndefined();
  });
});
