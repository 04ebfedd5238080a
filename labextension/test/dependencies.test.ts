/// <reference types="node" />
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

it('names the packages that are imported, and no others', () => {
  const { dependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf-8')
  ) as { dependencies: Record<string, string> };
  const imported = new Set<string>();
  for (const name of readdirSync(join(ROOT, 'src'), {
    recursive: true
  }) as string[]) {
    if (/\.tsx?$/.test(name)) {
      const text = readFileSync(join(ROOT, 'src', name), 'utf-8');
      for (const [, from] of text.matchAll(
        /\bfrom '((?:@[^/']+\/)?[^./'][^/']*)/g
      )) {
        imported.add(from);
      }
    }
  }
  expect([...imported].sort()).toEqual(Object.keys(dependencies).sort());
});
