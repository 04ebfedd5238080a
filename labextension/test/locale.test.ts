/// <reference types="node" />
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SOURCES = join(import.meta.dirname, '..', 'src');
const LOCALE = join(
  import.meta.dirname,
  '../../jupyter_hybrid/locale/ja_JP/LC_MESSAGES/jupyter_hybrid.json'
);

/** Methods of a bundle of ours (`trans`), with the number of their texts. */
const TEXTS: Readonly<Record<string, number>> = { __: 1, _n: 2 };

/** What the sources say in words: the first text of each, with all its texts. */
function said(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of readdirSync(SOURCES, { recursive: true }) as string[]) {
    if (/\.tsx?$/.test(name)) {
      const text = readFileSync(join(SOURCES, name), 'utf-8');
      visit(
        ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true),
        found
      );
    }
  }
  for (const text of ofSettings()) {
    found.set(text, [text]);
  }
  return found;
}

/** The words of settings that people see: their titles, descriptions and labels. */
function ofSettings(): string[] {
  interface IWords {
    title?: string;
    description?: string;
    'jupyter.lab.setting-icon-label'?: string;
    properties?: Record<string, IWords>;
  }
  const read = (one: IWords): (string | undefined)[] => [
    one.title,
    one.description,
    one['jupyter.lab.setting-icon-label'],
    ...Object.values(one.properties ?? {}).flatMap(read)
  ];
  const file = join(SOURCES, '../schema/notifications.json');
  const schema = JSON.parse(readFileSync(file, 'utf-8')) as IWords;
  return read(schema).filter(text => text !== undefined);
}

function visit(node: ts.Node, found: Map<string, string[]>): void {
  if (
    ts.isCallExpression(node) &&
    ts.isPropertyAccessExpression(node.expression)
  ) {
    const bundle = node.expression.expression.getText();
    const ours = bundle === 'trans' || bundle.endsWith('.trans');
    const count = ours ? (TEXTS[node.expression.name.text] ?? 0) : 0;
    const texts = node.arguments
      .slice(0, count)
      .map(text => (ts.isStringLiteralLike(text) ? text.text : ''));
    if (count > 0) {
      found.set(texts[0], texts);
    }
  }
  ts.forEachChild(node, child => visit(child, found));
}

function places(text: string): string[] {
  return (text.match(/%\d/g) ?? []).sort();
}

describe('the Japanese translation', () => {
  const { '': head, ...translated } = JSON.parse(
    readFileSync(LOCALE, 'utf-8')
  ) as Record<string, string[]>;
  const texts = said();

  it('is found by JupyterLab', () => {
    expect(head).toMatchObject({ domain: 'jupyter_hybrid', language: 'ja-JP' });
  });

  it('says all that is said', () => {
    expect([...texts.keys()].filter(text => !(text in translated))).toEqual([]);
  });

  it('says nothing else', () => {
    expect(Object.keys(translated).filter(text => !texts.has(text))).toEqual(
      []
    );
  });

  it('has two forms for what is counted, the second of them empty', () => {
    for (const [text, forms] of Object.entries(translated)) {
      const counted = (texts.get(text) ?? []).length > 1;
      expect(forms.slice(1), text).toEqual(counted ? [''] : []);
    }
  });

  it('fills in the same places', () => {
    for (const [text, [japanese]] of Object.entries(translated)) {
      expect(places(japanese), text).toEqual(places(text));
    }
  });
});
