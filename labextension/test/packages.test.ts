import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { packagesLine } from '../src/packages';
import type { IEnvironment, IPackage } from '../src/records';

const trans = nullTranslator.load('');

function environment(...kinds: IPackage['kind'][]): IEnvironment {
  const rows = kinds.map((kind, number) => ({
    kind,
    name: `p${number}`,
    here: '',
    image: '',
    sentence: ''
  }));
  return { image: 'torch', known: true, rows, notes: [], added: {} };
}

describe('the line about packages', () => {
  it('says first what stands in the way', () => {
    expect(packagesLine(environment('keep', 'conflict', 'layer'), trans)).toBe(
      '1 conflict · 1 is added · 1 is the image’s'
    );
    expect(packagesLine(environment('keep', 'keep'), trans)).toBe(
      'nothing is added · 2 are the image’s'
    );
  });

  it('counts all that is added once that is known', () => {
    const added = { p1: '0.8', other: '1' };
    const resolved = { ...environment('keep', 'layer'), added };
    expect(packagesLine(resolved, trans)).toBe(
      '2 are added · 1 is the image’s'
    );
  });

  it('says that an image is not known', () => {
    const unknown = { ...environment('', ''), known: false };
    expect(packagesLine(unknown, trans)).toBe(
      '2 needed; nobody has looked into torch yet'
    );
  });
});
