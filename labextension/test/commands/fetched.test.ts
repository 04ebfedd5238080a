import { nullTranslator } from '@jupyterlab/translation';
import { expect, it } from 'vitest';

import { fetchedText } from '../../src/commands/jobs';
import type { IFetched } from '../../src/records';

const trans = nullTranslator.load('');
const fetched: IFetched = {
  notebook: '/home/n.ipynb',
  files: ['/home/a', '/home/b'],
  conflicts: [],
  unchanged: 0,
  deleted: [],
  left: [],
  more: { files: 0, conflicts: 0, deleted: 0, left: 0 }
};

it('counts files that are not listed', () => {
  const more = { ...fetched.more, files: 500 };
  expect(fetchedText({ ...fetched, more }, trans)).toBe(
    'Fetched: the executed notebook, 502 files'
  );
});

it('says how much more could not be brought as it should', () => {
  const more = { ...fetched.more, conflicts: 3, left: 2 };
  const text = fetchedText({ ...fetched, left: ['c: full'], more }, trans);
  expect(text.split('\n').slice(1)).toEqual(['c: full', 'and 5 more']);
});
