/// <reference types="node" />
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

const LOCALE = join(
  import.meta.dirname,
  '../../jupyter_hybrid/locale/ja_JP/LC_MESSAGES/jupyter_hybrid.json'
);

function places(text: string): string[] {
  return (text.match(/%\d/g) ?? []).sort();
}

describe('the Japanese translation', () => {
  const { '': head, ...translated } = JSON.parse(
    readFileSync(LOCALE, 'utf-8')
  ) as Record<string, string[]>;

  it('is found by JupyterLab', () => {
    expect(head).toMatchObject({ domain: 'jupyter_hybrid', language: 'ja-JP' });
  });

  it('fills in the same places', () => {
    for (const [text, [japanese]] of Object.entries(translated)) {
      expect(places(japanese), text).toEqual(places(text));
    }
  });
});
