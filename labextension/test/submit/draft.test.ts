import { describe, expect, it } from 'vitest';

import type { IJobDetail } from '../../src/records';
import {
  EMPTY,
  fromJob,
  fromPreferences,
  misread,
  rerun,
  submission,
  toPreferences,
  wishes
} from '../../src/submit/draft';
import { parametersOf } from '../../src/submit/parameters';
import { job } from '../jobs';

describe('a draft', () => {
  it('asks for what was typed, and for nothing else', () => {
    expect(wishes(EMPTY)).toEqual({});
    const typed = { gpus: ' 2', gpuType: 'v100', mem: '8G ' };
    expect(wishes({ ...EMPTY, ...typed, time: ' ' })).toEqual({
      gpus: 2,
      gpu_type: 'v100',
      mem: '8G'
    });
  });

  it('counts in digits of every width, and knows what is no whole number', () => {
    const typed = { ...EMPTY, gpus: ' \uff12', cpus: '1.5', nodes: '-1' };
    expect(wishes(typed)).toEqual({ gpus: 2 });
    expect(misread(typed)).toEqual(['cpus', 'nodes']);
    expect(misread({ ...EMPTY, gpus: '0', tasks: ' ' })).toEqual([]);
  });

  it('becomes a submit', () => {
    const typed = { target: 'dgx', files: ' a/*.csv  b ', exclude: ['c'] };
    expect(submission('a.ipynb', { ...EMPTY, ...typed }, [])).toEqual({
      path: 'a.ipynb',
      target: 'dgx',
      name: null,
      image: null,
      resources: {},
      parameters: {},
      parameter_texts: {},
      files: ['a/*.csv', 'b'],
      exclude: ['c']
    });
  });

  it('has nodes, processes, a kernel and variables where somebody asks for them', () => {
    const typed = { nodes: '2', tasks: '4', kernel: ' ir ', env: 'A=1\n' };
    const sent = submission('a.ipynb', { ...EMPTY, ...typed }, []);
    expect(sent.resources).toEqual({ nodes: 2, ntasks_per_node: 4 });
    expect([sent.kernel, sent.env_text]).toEqual(['ir', 'A=1\n']);
  });

  it('takes the kind of GPU of the row that was chosen', () => {
    const chosen = { ...EMPTY, gpuType: 'v100,p100', offered: 'v100' };
    const asked = (gpus: string): unknown =>
      submission('a.ipynb', { ...chosen, gpus }, []).resources;
    expect(asked('2')).toEqual({ gpus: 2, gpu_type: 'v100' });
    // and what targets are asked about stays as it was typed, so that all rows stay
    expect(wishes({ ...chosen, gpus: '2' }).gpu_type).toBe('v100,p100');
    expect(asked('')).toEqual({ gpu_type: 'v100,p100' });
  });

  it('is kept for the next time, without its name', () => {
    const draft = { ...EMPTY, name: 'mine', gpus: '2', exclude: ['a'] };
    const kept = JSON.parse(JSON.stringify(toPreferences(draft))) as never;
    expect({ ...EMPTY, ...fromPreferences(kept) }).toEqual({
      ...draft,
      name: ''
    });
  });

  it('takes nothing from what another version kept in another form', () => {
    const other = { gpus: 2, exclude: 'a', parameters: { a: 1, b: 'c' } };
    expect(fromPreferences(other)).toEqual({ parameters: { b: 'c' } });
    expect(fromPreferences(null)).toEqual({});
  });
});

describe('a draft of a job', () => {
  it('that runs again says what is different', () => {
    const old: IJobDetail = {
      ...job('a', { parameters: { n: 3, s: 'x', l: [1] }, image: 'torch' }),
      commands: { cli: null, magic: null, python: null },
      env: { A: '1', B: 'x=y' }
    };
    const parameters = parametersOf(old);
    const draft = fromJob(old);
    expect(rerun(old, draft, parameters)).toEqual({
      resources: {},
      parameters: {},
      parameter_texts: {}
    });
    const typed = { n: '4', s: 'y', l: '[1]' };
    const changes = { target: 'dgx', gpus: '1', parameters: typed };
    expect(rerun(old, { ...draft, ...changes }, parameters)).toEqual({
      target: 'dgx',
      resources: { gpus: 1 },
      parameters: { s: 'y' },
      parameter_texts: { n: '4' }
    });
    expect([draft.image, draft.kernel, draft.env]).toEqual([
      'torch',
      'python3',
      'A=1\nB=x=y'
    ]);
    const others = { image: ' ', kernel: 'ir', env: 'A=2', exclude: ['a'] };
    expect(rerun(old, { ...draft, ...others }, parameters)).toMatchObject({
      image: null,
      kernel: 'ir',
      env_text: 'A=2',
      exclude: ['a']
    });
  });
});
