import { FileDialog } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { chooseNotebook } from '../../src/commands/choosing';

type Asked = Parameters<typeof FileDialog.getOpenFiles>[0];
let asked: Asked[];
/** What somebody selects, one dialog after the other. */
let selected: (Contents.IModel | null)[];

function one(path: string, type: string): Contents.IModel {
  return { path, name: path.split('/').at(-1) ?? '', type } as Contents.IModel;
}

function choose(folder: string | null): Promise<string | null> {
  return chooseNotebook({} as never, nullTranslator.load(''), folder);
}

beforeEach(() => {
  asked = [];
  vi.spyOn(FileDialog, 'getOpenFiles').mockImplementation(options => {
    asked.push(options);
    const value = selected.shift();
    const dialog = { button: {} as never, isChecked: null };
    return Promise.resolve({ ...dialog, value: value ? [value] : null });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('shows notebooks, and the folders in which there may be some', async () => {
  selected = [one('a/b.ipynb', 'notebook')];
  expect(await choose('a')).toBe('a/b.ipynb');
  expect(asked[0].defaultPath).toBe('a');
  const all = [
    one('b.ipynb', 'notebook'),
    one('c.ipynb', 'file'),
    one('d', 'directory'),
    one('e.ipynb', 'directory'),
    one('f.csv', 'file')
  ];
  const seen = all.filter(model => asked[0].filter?.(model));
  expect(seen.map(({ name }) => name)).toEqual([
    'b.ipynb',
    'c.ipynb',
    'd',
    'e.ipynb'
  ]);
});

it('goes into a folder that is selected', async () => {
  const folders = [one('a', 'directory'), one('a/e.ipynb', 'directory')];
  selected = [...folders, one('a/e.ipynb/f.ipynb', 'notebook')];
  expect(await choose(null)).toBe('a/e.ipynb/f.ipynb');
  expect(asked.map(({ defaultPath }) => defaultPath)).toEqual([
    undefined,
    'a',
    'a/e.ipynb'
  ]);
});

it('is none where somebody cancels', async () => {
  selected = [one('', 'directory'), null];
  expect(await choose(null)).toBeNull();
  expect(asked).toHaveLength(2);
});
