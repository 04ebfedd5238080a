import { afterEach, describe, expect, it } from 'vitest';

import {
  amount,
  counted,
  duration,
  oneLine,
  shortId,
  size
} from '../src/words';

describe('words', () => {
  afterEach(() => {
    document.documentElement.lang = '';
  });

  it('say durations as the command line does', () => {
    const said = [0, 0.44, 59.94, 59.96, 200, 3599.6, 7500, 273600];
    expect(said.map(duration)).toEqual([
      '0.0 s',
      '0.4 s',
      '59.9 s',
      '1 min 00 s',
      '3 min 20 s',
      '1 h 00 min',
      '2 h 05 min',
      '3 d 4 h'
    ]);
    expect(duration(-3)).toBe('0.0 s');
  });

  it('do not flicker with tenths of seconds', () => {
    expect([0.4, 59.9, 60, 7500].map(counted)).toEqual([
      '0 s',
      '59 s',
      '1 min 00 s',
      '2 h 05 min'
    ]);
  });

  it('say durations in the language of JupyterLab', () => {
    document.documentElement.lang = 'ja_JP';
    expect([12.34, 200, 7500, 273600].map(duration)).toEqual([
      '12.3秒',
      '3分20秒',
      '2時間05分',
      '3日4時間'
    ]);
    expect(counted(7.9)).toBe('7秒');
    document.documentElement.lang = 'de-DE';
    expect(duration(12.34)).toBe('12.3 s');
  });

  it('say sizes as the command line does', () => {
    const said = [0, 1023, 1024, 3_250_000, 134_000_000, 1e15].map(size);
    expect(said).toEqual([
      '0 B',
      '1023 B',
      '1.0 kB',
      '3.1 MB',
      '128 MB',
      '909 TB'
    ]);
  });

  it('say amounts so that small ones are not nothing', () => {
    expect([0, 0.0042, 0.5, 12.345].map(amount)).toEqual([
      '0.00',
      '0.0042',
      '0.50',
      '12.35'
    ]);
  });

  it('keep hostile names on one line and show what they hide', () => {
    expect(oneLine('a\nb\r\n c')).toBe('a b  c');
    expect(oneLine('evil\u202egnp.exe')).toBe('evil\ufffdgnp.exe');
    expect(oneLine('\u001b[31mred')).toBe('\ufffd[31mred');
    expect(oneLine('🙂 日本語')).toBe('🙂 日本語');
    expect(oneLine('half \udcff')).toBe('half \ufffd');
  });

  it('tell jobs apart by the end of the id', () => {
    expect(shortId('01m89h0arptncwy5t5kxzpye0r')).toBe('kxzpye0r');
  });
});
