import { nullTranslator } from '@jupyterlab/translation';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { IOffer } from '../../src/records';
import { EMPTY, type IDraft } from '../../src/submit/draft';
import { OffersTable } from '../../src/submit/offerstable';

const TARGET = {
  name: 'k8s',
  executor: 'kubernetes',
  default: true,
  price: null,
  trouble: null
};
let root: Root;
let place: HTMLElement;
let draft: IDraft;

function offer(gpu_type: string | null, note = '', gpus = 1): IOffer {
  return {
    ...{ target: 'k8s', hardware: gpu_type ?? 'CPU', cpus: 1, mem: 1 },
    ...{ gpus, gpu_type, note, free_now: true, wait: null, price: null }
  };
}

function draw(offers: IOffer[]): void {
  const row = { target: TARGET, asking: false, offers, problem: '' };
  const choose = (target: string, offered: string): void => {
    draft = { ...draft, target, offered };
    draw(offers);
  };
  act(() =>
    root.render(
      <OffersTable
        rows={[{ ...row, heard: true }]}
        durations={new Map()}
        draft={draft}
        trans={nullTranslator.load('')}
        onChoose={choose}
      />
    )
  );
}

/** The notes of the rows that are shown as chosen, and how many buttons are pressed. */
function chosen(): [string[], number] {
  const rows = [...place.querySelectorAll('.jp-mod-selected small')];
  const pressed = place.querySelectorAll(':checked').length;
  return [rows.map(row => row.innerHTML), pressed];
}

function click(note: string): void {
  const found = [...place.querySelectorAll('small')].find(
    one => one.textContent === note
  );
  act(() => found?.click());
}

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  place = document.createElement('div');
  root = createRoot(place);
  draft = { ...EMPTY, target: 'k8s', gpus: '1' };
});

afterEach(() => {
  act(() => root.unmount());
  vi.unstubAllGlobals();
});

it('has one choice for each kind of GPU, wherever that is', () => {
  draw([offer('V100', 'here'), offer('A100', 'a'), offer('V100', 'there')]);
  // none is named yet, and none looks as if it were
  expect(chosen()).toEqual([[], 1]);
  expect(place.querySelector('.jp-mod-selected')?.textContent).toBe(
    'k8sAny of these'
  );
  click('a');
  expect([draft.offered, chosen()]).toEqual(['A100', [['a'], 1]]);
  click('there');
  expect([draft.offered, chosen()]).toEqual(['V100', [['here', 'there'], 1]]);
  const buttons = place.querySelectorAll('input');
  expect(buttons).toHaveLength(3);
  act(() => buttons[0].click());
  expect([draft.offered, chosen()]).toEqual(['', [[], 1]]);
});

it('tells GPUs that have no name from others', () => {
  draw([offer('V100', 'named'), offer(null, 'unnamed')]);
  click('named');
  expect([draft.offered, chosen()]).toEqual(['V100', [['named'], 1]]);
  click('unnamed');
  expect([draft.offered, chosen()]).toEqual(['', [['unnamed'], 1]]);
});

it('has one choice where no GPU is asked for', () => {
  draw([offer('V100', 'with', 0), offer(null, 'without', 0)]);
  click('without');
  expect([draft.offered, chosen()]).toEqual(['', [['with', 'without'], 1]]);
});
