/** Which jobs the panel shows. */
import type { ReactElement } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, InputGroup } from '@jupyterlab/ui-components';

import {
  type IJobFilter,
  type IJobPage,
  type State,
  UNFINISHED
} from '../records';
import { useTyped } from './hooks';
import { shown } from './wording';

/** Milliseconds without a key after which the server is asked. */
const TYPING = 200;

/** States as people ask for them. */
const GROUPS: Readonly<Record<string, readonly State[]>> = {
  unfinished: UNFINISHED,
  done: ['COMPLETED'],
  failed: ['FAILED', 'LOST'],
  cancelled: ['CANCELLED']
};

interface IFiltersProps {
  filter: IJobFilter;
  counts: IJobPage['counts'];
  targets: readonly string[];
  trans: TranslationBundle;
  setFilter: (filter: IJobFilter) => void;
}

export function Filters(props: IFiltersProps): ReactElement {
  const { filter, counts, targets, trans, setFilter } = props;
  return (
    <div className="jp-hybrid-Filters" role="search">
      <Search {...props} />
      <div className="jp-hybrid-Filters-selects">
        <HTMLSelect
          aria-label={trans.__('State')}
          value={group(filter.states)}
          options={stateOptions(counts, trans)}
          onChange={event => {
            const name = event.currentTarget.value;
            const states = GROUPS[name] as readonly State[] | undefined;
            setFilter(clean({ ...filter, states }));
          }}
        />
        {(targets.length > 1 || filter.target) && (
          <HTMLSelect
            aria-label={trans.__('Target')}
            value={filter.target ?? ''}
            options={[
              { value: '', label: trans.__('All targets') },
              ...targets.map(name => ({ value: name, label: shown(name) }))
            ]}
            onChange={event => {
              setFilter(
                clean({ ...filter, target: event.currentTarget.value })
              );
            }}
          />
        )}
      </div>
    </div>
  );
}

/** A field whose text is looked for once somebody stops typing. */
function Search({ filter, trans, setFilter }: IFiltersProps): ReactElement {
  const [typed, setTyped] = useTyped(
    filter.text ?? '',
    text => setFilter(clean({ ...filter, text })),
    TYPING
  );
  return (
    <InputGroup
      type="search"
      aria-label={trans.__('Search jobs by name')}
      placeholder={trans.__('Search by name')}
      rightIcon="ui-components:search"
      value={typed}
      onChange={event => setTyped(event.currentTarget.value)}
    />
  );
}

/** The filter without parts that let everything through. */
function clean({ states, target, text }: IJobFilter): IJobFilter {
  return {
    ...(states ? { states } : {}),
    ...(target ? { target } : {}),
    ...(text ? { text } : {})
  };
}

function group(states: readonly State[] | undefined): string {
  if (!states) {
    return 'all';
  }
  const same = Object.entries(GROUPS).find(
    ([, members]) => members.join() === states.join()
  );
  return same ? same[0] : 'all';
}

function stateOptions(
  counts: IJobPage['counts'],
  trans: TranslationBundle
): { value: string; label: string }[] {
  const number = (states: readonly State[]): number =>
    states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const all = Object.keys(counts) as State[];
  const names: [string, readonly State[], string][] = [
    ['all', all, trans.__('All')],
    ['unfinished', GROUPS['unfinished'], trans.__('Running or waiting')],
    ['done', GROUPS['done'], trans.__('Done')],
    ['failed', GROUPS['failed'], trans.__('Failed')],
    ['cancelled', GROUPS['cancelled'], trans.__('Cancelled')]
  ];
  return names.map(([value, states, label]) => ({
    value,
    label: `${label} (${number(states)})`
  }));
}
