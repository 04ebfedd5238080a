import type * as nbformat from '@jupyterlab/nbformat';
import { beforeEach, describe, expect, it } from 'vitest';

import { Applier, type CellStatus } from '../src/outputs/applier';
import { PlainOutputs, withoutOverwritten } from '../src/outputs/plain';
import type { IJobEvent } from '../src/records';

function told(said: object): nbformat.IOutput {
  return { output_type: 'display_data', data: { ...said }, metadata: {} };
}

class Page {
  readonly cells = new Map<string, PlainOutputs>();
  readonly said: string[] = [];

  constructor(...ids: string[]) {
    ids.forEach(id => this.cells.set(id, new PlainOutputs(told)));
  }

  outputs(cell: string): PlainOutputs | null {
    return this.cells.get(cell) ?? null;
  }

  begin(): void {
    this.cells.forEach(outputs => outputs.clear(false));
    this.said.push('begin');
  }

  inject(cell: string, source: string): void {
    this.cells.set(cell, new PlainOutputs(told));
    this.said.push(`inject ${cell} ${source}`);
  }

  status(cell: string, status: CellStatus, count: number | null): void {
    this.said.push(`${cell} ${status} ${String(count)}`);
  }

  json(cell: string): nbformat.IOutput[] {
    return this.cells.get(cell)?.toJSON() ?? [];
  }
}

let seq = 0;

function event(kind: string, rest: object = {}): IJobEvent {
  seq += 1;
  return { seq, time: seq, kind, ...rest };
}

function printed(text: string, name = 'stdout', cell = 'a'): IJobEvent {
  const output = { output_type: 'stream', name, text };
  return event('output', { cell_id: cell, output });
}

function displayed(text: string, id?: string, cell = 'a'): IJobEvent {
  const output = {
    output_type: 'display_data',
    data: { 'text/plain': text },
    metadata: {},
    ...(id === undefined ? {} : { transient: { display_id: id } })
  };
  return event('output', { cell_id: cell, output });
}

function updated(text: string, id: string): IJobEvent {
  const data = { 'text/plain': text };
  return event('update', { cell_id: 'b', display_id: id, data, metadata: {} });
}

describe('a job’s events', () => {
  let page: Page;
  let applier: Applier;
  const all = (...events: IJobEvent[]): void =>
    events.forEach(one => applier.apply(one));
  const texts = (cell = 'a'): unknown[] =>
    page
      .json(cell)
      .map(output =>
        output.output_type === 'stream'
          ? output['text']
          : (output['data'] as Record<string, unknown>)['text/plain']
      );

  beforeEach(() => {
    page = new Page('a', 'b');
    applier = new Applier(page);
  });

  it('become outputs, and text of one stream is one output', () => {
    all(printed('1\n'), printed('2\n'), printed('!', 'stderr'), printed('3'));
    expect(texts()).toEqual(['1\n2\n', '!', '3']);
    all(printed('elsewhere', 'stdout', 'b'), printed('4'));
    expect(texts()).toEqual(['1\n2\n', '!', '34']);
    expect(texts('b')).toEqual(['elsewhere']);
  });

  it('update what was displayed, wherever that was', () => {
    all(displayed('0 %', 'bar'), displayed('x'), displayed('0', 'bar', 'b'));
    all(updated('50 %', 'bar'));
    expect(texts()).toEqual(['50 %', 'x']);
    expect(texts('b')).toEqual(['50 %']);
    expect(page.json('a')[0]).not.toHaveProperty('transient');
  });

  it('clear at once, or when the next output comes', () => {
    all(printed('old'), event('clear', { cell_id: 'a', wait: true }));
    expect(texts()).toEqual(['old']);
    all(printed('new'));
    expect(texts()).toEqual(['new']);
    all(event('clear', { cell_id: 'a', wait: false }));
    expect(texts()).toEqual([]);
  });

  it('do not update what was cleared', () => {
    all(displayed('0 %', 'bar'), event('clear', { cell_id: 'a', wait: true }));
    all(printed('other'), updated('50 %', 'bar'));
    expect(texts()).toEqual(['other']);
  });

  it('begin anew where the job was started once more', () => {
    all(printed('lost with the node'), event('started'), printed('again'));
    expect(texts()).toEqual(['again']);
    expect(page.said).toEqual(['begin']);
  });

  it('tell which cell runs and how it ended', () => {
    all(
      event('cell', { cell_id: 'p', number: 1, total: 2, source: 'x = 1' }),
      event('cell_end', { cell_id: 'p', status: 'ok', execution_count: 1 }),
      event('cell', { cell_id: 'a', number: 2, total: 2 }),
      event('cell_end', { cell_id: 'a', status: 'error', execution_count: 2 })
    );
    expect(page.said).toEqual([
      'inject p x = 1',
      'p running null',
      'p ok 1',
      'a running null',
      'a error 2'
    ]);
  });

  it('pass over cells and kinds that nobody knows', () => {
    all(printed('?', 'stdout', 'gone'), event('novelty'), event('output'));
    expect(texts()).toEqual([]);
  });
});

describe('a flood of lines', () => {
  it('costs time that grows with their number, not with its square', () => {
    const page = new Page('a');
    const applier = new Applier(page);
    for (let line = 0; line < 200_000; line += 1) {
      applier.apply(printed(`line ${line}\n`));
    }
    const shown = page.json('a').map(output => output['text'] as string);
    expect(shown[0].startsWith('line 0\nline 1\n')).toBe(true);
    expect(shown[2].endsWith('line 199999\n')).toBe(true);
  });
});

describe('carriage returns', () => {
  it('leave what a terminal would show', () => {
    expect(withoutOverwritten('a\rb\nc')).toBe('b\nc');
    expect(withoutOverwritten(' 10 %\r 20 %\r')).toBe(' 20 %\r');
    expect(withoutOverwritten('\r\rx\n\r\n')).toBe('x\n\n');
    expect(withoutOverwritten('plain')).toBe('plain');
  });
});
