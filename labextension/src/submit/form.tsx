/** The dialog's body. */
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import type { IParameter } from '../records';
import { ParameterField, Problems, Section, TextField } from './fields';
import type { SubmitModel } from './model';
import { OffersTable } from './offerstable';
import { countNames } from './problems';
import { Travelling } from './travelling';

/** Shows a model. */
export class SubmitForm extends ReactWidget {
  constructor(private readonly _model: SubmitModel) {
    super();
    this.addClass('jp-hybrid-form');
  }

  protected render(): React.JSX.Element {
    return (
      <UseSignal signal={this._model.changed}>
        {() => <Form model={this._model} />}
      </UseSignal>
    );
  }
}

function Form({ model }: { model: SubmitModel }): React.JSX.Element {
  const { trans } = model;
  const problems = model.problemsOf('notebook', '');
  return (
    <>
      <Notices model={model} />
      <Section title={trans.__('Where')}>
        <Wishes model={model} />
        <OffersTable
          rows={model.offers.rows}
          durations={model.lookups.durations}
          draft={model.draft}
          trans={trans}
          onChoose={(target, offered) => model.set({ target, offered })}
        />
        {model.targetsProblem !== '' && (
          <Problems
            problems={[{ field: 'target', message: model.targetsProblem }]}
          />
        )}
        <Problems problems={model.problemsOf('target', 'resources')} />
      </Section>
      <Parameters model={model} />
      <Section title={trans.__('Job')}>
        <div className="jp-hybrid-fields">
          <TextField
            label={trans.__('Name')}
            kind="long"
            value={model.draft.name}
            placeholder={model.inspection?.name ?? ''}
            onChange={name => model.set({ name })}
          />
          <TextField
            label={trans.__('Image')}
            kind="long"
            value={model.draft.image}
            placeholder={trans.__('the target’s own')}
            invalid={model.problemsOf('image').length > 0}
            onChange={image => model.set({ image })}
          />
          <TextField
            label={trans.__('Kernel')}
            value={model.draft.kernel}
            placeholder={model.inspection?.kernel ?? ''}
            invalid={model.problemsOf('kernel').length > 0}
            onChange={kernel => model.set({ kernel })}
          />
        </div>
        <Problems problems={model.problemsOf('image', 'kernel')} />
        <Travelling model={model} />
        <Problems problems={model.problemsOf('files')} />
      </Section>
      {problems.length > 0 && (
        <div className="jp-hybrid-refusal">
          <Problems problems={problems} />
        </div>
      )}
    </>
  );
}

/** What is sent, where that is not plain. */
function Notices({ model }: { model: SubmitModel }): React.JSX.Element {
  const { trans, inspection } = model;
  return (
    <div className="jp-hybrid-notices" role="status">
      {inspection?.unsaved && (
        <p>
          {trans.__(
            'What is on screen is sent, with changes that are not saved yet.'
          )}
        </p>
      )}
      {model.job && (
        <p>{trans.__('The notebook and files of then are sent again.')}</p>
      )}
      {model.restored && (
        <p>
          {trans.__('Your choices from before are still here.')}{' '}
          <button
            type="button"
            className="jp-hybrid-link"
            onClick={() => model.startOver()}
          >
            {trans.__('Start over')}
          </button>
        </p>
      )}
    </div>
  );
}

/** Choices of hardware and time that are typed. */
type Wish = 'gpus' | 'gpuType' | 'cpus' | 'mem' | 'nodes' | 'tasks' | 'time';

function Wishes({ model }: { model: SubmitModel }): React.JSX.Element {
  const { trans, draft } = model;
  const refused = model.problemsOf('resources').length > 0;
  const any = trans.__('any');
  const counts = countNames(trans);
  const fields: [wish: Wish, label: string, usual: string, hint?: string][] = [
    ['gpus', counts.gpus, '0'],
    ['gpuType', trans.__('Kind of GPU'), any],
    ['cpus', counts.cpus, any],
    ['mem', trans.__('Memory'), '8G'],
    ['nodes', counts.nodes, '1'],
    [
      'tasks',
      counts.tasks,
      '1',
      trans.__('Each of them runs the whole notebook')
    ],
    ['time', trans.__('Time limit'), '2h']
  ];
  return (
    <div className="jp-hybrid-fields">
      {fields.map(([wish, label, usual, hint]) => (
        <TextField
          key={wish}
          label={label}
          value={draft[wish]}
          placeholder={usual}
          hint={hint}
          // one of those that ask for something
          invalid={refused && draft[wish].trim() !== ''}
          onChange={text => model.set({ [wish]: text })}
        />
      ))}
    </div>
  );
}

function Parameters({
  model
}: {
  model: SubmitModel;
}): React.JSX.Element | null {
  const { parameters, inspection, trans } = model;
  const note = inspection?.note ?? '';
  if (parameters === null || parameters.length === 0) {
    return inspection !== null && parameters === null ? (
      <Section title={trans.__('Parameters')}>
        <p className="jp-hybrid-hint">{note}</p>
      </Section>
    ) : null;
  }
  const field = (parameter: IParameter): React.JSX.Element => (
    <ParameterField
      key={parameter.name}
      parameter={parameter}
      texts={model.draft.parameters}
      trans={trans}
      onChange={text => model.setParameter(parameter.name, text)}
    />
  );
  return (
    <Section title={trans.__('Parameters')}>
      <div className="jp-hybrid-parameters">{parameters.map(field)}</div>
      <Problems problems={model.problemsOf('parameters')} />
      {(model.draft.unchecked || model.problemsOf('parameters').length > 0) && (
        <label className="jp-hybrid-unchecked">
          <input
            type="checkbox"
            checked={model.draft.unchecked}
            onChange={event => model.set({ unchecked: event.target.checked })}
          />
          {trans.__('Send them unchecked')}
        </label>
      )}
    </Section>
  );
}
