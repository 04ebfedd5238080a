import { describe, expect, it } from 'vitest';

import type { IParameter } from '../../src/records';
import {
  changed,
  initialText,
  kindOf,
  values
} from '../../src/submit/parameters';

function parameter(
  name: string,
  accepts: string[] | null,
  written: string,
  value: IParameter['value'] = null
): IParameter {
  return { name, type: null, accepts, default: written, value, help: '' };
}

const STEPS = parameter('steps', ['int'], '3', 3);
const RATE = parameter('rate', ['float', 'int'], '0.5', 0.5);
const LABEL = parameter('label', ['str'], "'first'", 'first');
const LOUD = parameter('loud', ['bool'], 'False', false);
const SIZES = parameter('sizes', ['list'], "['a', 2]", ['a', 2]);
const ANY = parameter('any', null, 'None');
const ALL = [STEPS, RATE, LABEL, LOUD, SIZES, ANY];

describe('fields of parameters', () => {
  it('are of the kind that the type asks for', () => {
    expect(ALL.map(kindOf)).toEqual([
      'number',
      'number',
      'text',
      'flag',
      'code',
      'code'
    ]);
  });

  it('begin with what the notebook says, as it can be typed', () => {
    expect(ALL.map(initialText)).toEqual([
      '3',
      '0.5',
      'first',
      'false',
      '["a",2]',
      'None'
    ]);
    expect(initialText(parameter('x', ['int'], 'None'))).toBe('');
    expect(initialText(parameter('x', ['str'], 'f()'))).toBe('');
  });

  it('send what is different, text as text and the rest to be read', () => {
    const typed = {
      steps: ' 10 ',
      rate: '0.5',
      label: '3',
      loud: 'true',
      sizes: '[1]',
      gone: '1'
    };
    expect(values(ALL, typed)).toEqual({
      parameters: { label: '3', loud: true },
      parameter_texts: { steps: '10', sizes: '[1]' }
    });
  });

  it('that are emptied mean the notebook’s own, but for text', () => {
    expect(changed(ALL, { steps: '', label: '', any: '' })).toEqual({
      label: ''
    });
  });
});
