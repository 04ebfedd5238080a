import type * as nbformat from '@jupyterlab/nbformat';
import { describe, expect, it } from 'vitest';

import { PlainOutputs } from '../src/outputs/applier';
import { type IShownOutputs, JobOutputs } from '../src/outputs/outputs';
import type { IJobEvent } from '../src/records';

class Screen extends PlainOutputs implements IShownOutputs {
  drawn = 0;

  override add(output: nbformat.IOutput): void {
    this.drawn += 1;
    super.add(output);
  }

  replace(outputs: nbformat.IOutput[]): void {
    this.drawn += 1;
    super.clear(false);
    outputs.forEach(output => super.add(output));
  }

  get text(): string {
    return this.toJSON()
      .map(output => output['text'] as string)
      .join('|');
  }
}

function outputs(said: string[] = []): JobOutputs {
  return new JobOutputs({
    status: cell => said.push(`status ${String(cell)}`),
    inject: cell => said.push(`inject ${cell}`)
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
    expect(screen.drawn).toBe(2);
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

  it('tell how cells do, and forget it where the job begins anew', () => {
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
    expect(said).toEqual(['status a', 'status a', 'status null']);
  });
});
