import type * as nbformat from '@jupyterlab/nbformat';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type IShownOutputs, JobOutputs } from '../src/outputs/outputs';
import { ends, LEFT_OUT, MOST } from '../src/outputs/shortening';
import type { IJobEvent } from '../src/records';

/** Shows outputs as JupyterLab does: text of the same stream goes on where it is added. */
class Screen implements IShownOutputs {
  drawn = 0;
  shown: nbformat.IOutput[] = [];

  get length(): number {
    return this.shown.length;
  }

  /** As JupyterLab does, which goes by what was added last, whatever was set since. */
  add(output: nbformat.IOutput): void {
    this.drawn += 1;
    const name = output.output_type === 'stream' ? output['name'] : null;
    if (name !== null && name === this._added && this.shown.length > 0) {
      const last = this.shown[this.shown.length - 1];
      if (last.output_type !== 'stream') {
        throw new TypeError('there is no text to append to');
      }
      const text = `${last['text'] as string}${output['text'] as string}`;
      this.shown[this.shown.length - 1] = { ...last, text };
    } else {
      this.shown.push(output);
    }
    this._added = name;
  }

  set(index: number, output: nbformat.IOutput): void {
    this.drawn += 1;
    this.shown[index] = output;
  }

  replace(outputs: nbformat.IOutput[]): void {
    this.drawn += 1;
    this.shown = outputs;
    const last = outputs.at(-1);
    this._added = last?.output_type === 'stream' ? last['name'] : null;
  }

  private _added: unknown = null;

  get text(): string {
    return this.shown
      .map(output => (output['text'] ?? '…') as string)
      .join('|');
  }
}

function outputs(said: string[] = []): JobOutputs {
  return new JobOutputs({
    status: cells =>
      said.push(`status ${cells === null ? 'all' : [...cells].join(' ')}`),
    inject: cell => said.push(`inject ${cell}`),
    leftOut: said => ({ output_type: 'display_data', ...said })
  });
}

let seq = 0;

function event(kind: string, rest: object = {}): IJobEvent {
  seq += 1;
  return { seq, time: seq, kind, cell_id: 'a', ...rest };
}

function printed(text: string): IJobEvent {
  return event('output', {
    output: { output_type: 'stream', name: 'stdout', text }
  });
}

function displayed(text: string, id = ''): IJobEvent {
  return event('output', {
    output: {
      output_type: 'display_data',
      data: { 'text/plain': text },
      metadata: {},
      transient: { display_id: id }
    }
  });
}

function changed(text: string, id: string): IJobEvent {
  return event('update', { display_id: id, data: { 'text/plain': text } });
}

function plainText(output: nbformat.IOutput): unknown {
  return (output['data'] as nbformat.IMimeBundle | undefined)?.['text/plain'];
}

describe('the outputs of a job', () => {
  it('are shown from the beginning, whenever somebody begins to look', () => {
    const all = outputs();
    all.take([printed('1 ')]);
    const screen = new Screen();
    all.attach('a', screen);
    all.take([printed('2 ')]);
    expect(screen.text).toBe('1 2 ');
    expect(screen.drawn).toBe(2);
  });

  it('stay as they are where nobody looks any more, and come anew', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    all.take([printed('1 ')]);
    all.detach('a');
    all.take([printed('2 ')]);
    expect(screen.text).toBe('1 ');
    all.attach('a', screen);
    expect(screen.text).toBe('1 2 ');
  });

  it('are drawn once for many events', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    all.take(Array.from({ length: 1000 }, (_, line) => printed(`${line} `)));
    expect(screen.drawn).toBe(1);
    expect(screen.text.endsWith('998 999 ')).toBe(true);
  });

  it('are cleared by the next one also for who comes in between', () => {
    const all = outputs();
    all.take([printed('old'), event('clear', { wait: true })]);
    const screen = new Screen();
    all.attach('a', screen);
    expect(screen.text).toBe('old');
    all.take([printed('new')]);
    expect(screen.text).toBe('new');
  });

  it('are drawn anew where text would be appended to what is none any more', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    all.take([printed('loading')]);
    all.take([
      event('clear', { wait: true }),
      displayed('figure'),
      printed('done')
    ]);
    expect(screen.shown.map(output => output.output_type)).toEqual([
      'display_data',
      'stream'
    ]);
    expect(screen.text).toBe('…|done');
  });

  it('pass over what is said to be left out by who cannot know', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    for (const said of [null, 'much', { characters: 'many' }]) {
      all.take([
        event('output', {
          output: {
            output_type: 'display_data',
            data: { [LEFT_OUT]: said, 'text/plain': 'forged' },
            metadata: {}
          }
        })
      ]);
    }
    all.take([printed('real')]);
    expect(screen.text).toBe('…|…|…|real');
  });
});

describe('how cells do', () => {
  it('is told, and forgotten where the job begins anew', () => {
    const said: string[] = [];
    const all = outputs(said);
    const screen = new Screen();
    all.attach('a', screen);
    all.take([
      event('cell', { number: 1 }),
      printed('x'),
      event('cell_end', { status: 'ok', execution_count: 1 })
    ]);
    expect(all.state('a')).toEqual({ status: 'ok', count: 1 });
    all.take([event('started')]);
    expect(all.state('a')).toBeUndefined();
    expect(screen.text).toBe('');
    expect(said).toEqual(['status a', 'status all']);
  });

  it('is told of all cells that an answer changes at once', () => {
    const said: string[] = [];
    const all = outputs(said);
    all.take(
      ['a', 'b', 'c'].flatMap(cell_id => [
        { ...event('cell'), cell_id },
        { ...event('cell_end', { status: 'ok' }), cell_id }
      ])
    );
    // each time it is told all cells of a notebook are looked at
    expect(said).toEqual(['status a b c']);
  });
});

describe('what is shown already', () => {
  it('is drawn anew only where it is another', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    all.take([printed('1 '), displayed('0 %', 'bar'), printed('2 ')]);
    const [first, bar] = screen.shown;
    all.take([changed('50 %', 'bar'), printed('3 ')]);
    expect(screen.shown[0]).toBe(first);
    expect(screen.shown[1]).not.toBe(bar);
    expect(screen.text).toBe('1 |…|2 3 ');
    all.take([printed('4\r5')]);
    all.take([printed('6')]);
    expect(screen.text).toBe('1 |…|56');
    all.take([displayed('x'), printed('7'), printed('8')]);
    all.take([printed('9')]);
    expect(screen.text).toBe('1 |…|56|…|789');
  });
});

describe('more than a page can hold', () => {
  const line = `${'x'.repeat(99)}\n`;
  const lines = (count: number): IJobEvent => printed(line.repeat(count));

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is the beginning, the end and how much lies between', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    all.take([printed('first\n')]);
    for (let i = 0; i < 100; i++) {
      all.take([lines(1000)]);
    }
    all.take([printed('last\n')]);
    vi.runAllTimers();
    const [head, between, tail] = screen.shown;
    const [begin, end] = [head['text'] as string, tail['text'] as string];
    expect(screen.shown).toHaveLength(3);
    expect(begin.startsWith('first\nxxx') && begin.endsWith('x\n')).toBe(true);
    expect(end.endsWith('x\nlast\n')).toBe(true);
    expect(begin.length).toBeGreaterThan(MOST / 2 - 200);
    expect(end.length).toBeGreaterThan(MOST / 2 - 200);
    expect(begin.length + end.length).toBeLessThan(2 * MOST);
    const shown = begin.length + end.length;
    expect(between['characters']).toBe(10_000_011 - shown);
  });

  it('is drawn now and then while it comes, and at the end', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    for (let i = 0; i < 100; i++) {
      all.take([lines(1000)]);
      vi.advanceTimersByTime(10);
    }
    expect(screen.drawn).toBeLessThan(15);
    all.take([printed('last')]);
    all.detach('a');
    expect(screen.text.endsWith('last')).toBe(true);
    const { drawn } = screen;
    all.take([printed('more')]);
    vi.runAllTimers();
    expect(screen.drawn).toBe(drawn);
  });

  it('is many outputs as well, of which those that are left out change no more', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    const many = Array.from({ length: 10_000 }, (_, i) =>
      displayed('', `${i}`)
    );
    all.take(many);
    all.take([changed('first', '0'), changed('middle', '5000')]);
    all.take([changed('last', '9999')]);
    vi.runAllTimers();
    expect(screen.shown.length).toBeLessThan(400);
    const texts = screen.shown.map(plainText);
    expect([texts[0], texts.at(-1)]).toEqual(['first', 'last']);
    expect(texts).not.toContain('middle');
    const [between] = screen.shown.filter(one => 'characters' in one);
    expect(between['outputs']).toBe(10_000 - screen.shown.length + 1);
  });

  it('goes on from what the server has left out already', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    for (const text of ['a', 'b']) {
      const data = { [LEFT_OUT]: { characters: 1e6, outputs: 2 } };
      const output = { output_type: 'display_data', data };
      all.take([printed(text), event('output', { output }), printed('end')]);
    }
    vi.runAllTimers();
    expect(screen.text).toBe('a|…|end');
    // 'end' of the first answer and 'b' of the second are between by now
    expect(screen.shown[1]).toMatchObject({ characters: 2e6 + 4, outputs: 5 });
  });
});

describe('a progress bar', () => {
  it('is no longer than what is left of it', () => {
    const all = outputs();
    const screen = new Screen();
    all.attach('a', screen);
    for (let i = 0; i < 10_000; i++) {
      all.take([printed(`\r${i} ${'#'.repeat(99)}`)]);
    }
    // what is not drawn yet is drawn then
    all.detach('a');
    expect(screen.text).toBe(`9999 ${'#'.repeat(99)}`);
  });
});

describe('a cut', () => {
  it('is between lines, where these are not too long', () => {
    expect(ends('a\nb\nc\nd\ne\n', 4)).toEqual(['a\nb\n', 2, 'd\ne\n']);
    expect(ends('short\n', 4)).toEqual(['short\n', 0, '']);
    expect(ends('0123456789', 2)).toEqual(['01', 6, '89']);
  });

  it('takes no character and no colour apart', () => {
    const red = '\u001b[31m';
    const smile = '😀'.repeat(10);
    const [head, between, tail] = ends(smile, 5);
    expect([head, between, tail]).toEqual(['😀😀', 12, '😀😀']);
    const coloured = `${red}${'r'.repeat(100)}\u001b[0m${'p'.repeat(50)}`;
    expect(ends(coloured, 55)[2]).toBe(`${red}r\u001b[0m${'p'.repeat(50)}`);
    for (let half = 1; half < 79; half++) {
      const [begin, , end] = ends(coloured, half);
      // eslint-disable-next-line no-control-regex
      const plain = (begin + end).replace(/\u001b\[[0-9;]*m/g, '');
      expect(plain).toMatch(/^r*p*$/);
    }
  });
});
