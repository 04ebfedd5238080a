/** What would travel with the job: files with their sizes, and packages. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useId } from 'react';

import { Packages, packagesLine } from '../packages';
import type { ITravelling } from '../records';
import { oneLine, size } from '../words';
import { TextField } from './fields';
import type { SubmitModel } from './model';

export function Travelling({
  model
}: {
  model: SubmitModel;
}): React.JSX.Element {
  const { travelling, trans, draft } = model;
  const { environment } = model.lookups;
  return (
    <>
      <details className="jp-hybrid-details" aria-busy={model.checking}>
        <summary>
          <strong>{trans.__('Files')}</strong>
          <span>{travelling ? filesLine(model, travelling) : '…'}</span>
        </summary>
        {travelling && <Files model={model} travelling={travelling} />}
        {!model.job && (
          <TextField
            label={trans.__('Further files')}
            kind="long"
            value={draft.files}
            placeholder="data/*.csv"
            hint={trans.__(
              'Patterns relative to the notebook’s folder, separated by blanks'
            )}
            invalid={model.problemsOf('files').length > 0}
            onChange={files => model.set({ files })}
          />
        )}
      </details>
      {environment !== null && (
        <details className="jp-hybrid-details">
          <summary>
            <strong>{trans.__('Packages')}</strong>
            <span dir="auto">{packagesLine(environment, trans)}</span>
          </summary>
          <Packages environment={environment} trans={trans} />
        </details>
      )}
      <Variables model={model} />
      {travelling && travelling.notes.length > 0 && (
        <ul className="jp-hybrid-notes">
          {travelling.notes.map(note => (
            <li key={note} dir="auto">
              {note}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Variables({ model }: { model: SubmitModel }): React.JSX.Element {
  const { trans, draft } = model;
  const id = useId();
  const count = draft.env.split('\n').filter(line => line.trim()).length;
  return (
    <details className="jp-hybrid-details">
      <summary>
        <strong>{trans.__('Variables')}</strong>
        <span>{count > 0 ? String(count) : trans.__('none')}</span>
      </summary>
      <div className="jp-hybrid-field">
        <label htmlFor={id}>
          {trans.__(
            'Of the environment: NAME=value, one a line. No secrets: they are recorded with the job.'
          )}
        </label>
        <textarea
          id={id}
          className="jp-mod-styled"
          rows={3}
          value={draft.env}
          spellCheck={false}
          autoComplete="off"
          onChange={event => model.set({ env: event.target.value })}
        />
      </div>
    </details>
  );
}

function notThere(
  { size: all, new: missing }: ITravelling,
  trans: TranslationBundle
): string {
  if (missing >= all) {
    return '';
  }
  return missing === 0
    ? trans.__('all there already')
    : trans.__('%1 not there yet', size(missing));
}

function filesLine(model: SubmitModel, travelling: ITravelling): string {
  const { trans } = model;
  const { count, refused } = travelling;
  const words =
    count === 0
      ? [trans.__('none besides the notebook')]
      : [
          trans._n('%1 file', '%1 files', count, count),
          size(travelling.size),
          notThere(travelling, trans)
        ];
  const away = model.draft.exclude.length + refused.length;
  if (away > 0) {
    words.push(trans._n('%1 stays here', '%1 stay here', away, away));
  }
  return words.filter(word => word !== '').join(' · ');
}

function Files({
  model,
  travelling
}: {
  model: SubmitModel;
  travelling: ITravelling;
}): React.JSX.Element {
  const { trans, draft } = model;
  const here = new Set(draft.exclude);
  return (
    <div className="jp-hybrid-files">
      <ul>
        {model.files.map(file => (
          <FileRow
            key={file.path}
            model={model}
            file={file}
            travels={!here.has(file.path)}
          />
        ))}
        {travelling.refused.map(({ path, reason }) => (
          <li key={path} className="jp-mod-refused">
            <span dir="auto">{oneLine(path)}</span>
            <small dir="auto">{reason}</small>
          </li>
        ))}
      </ul>
      {travelling.more > 0 && (
        <p>
          {trans._n(
            'and %1 smaller one',
            'and %1 smaller ones',
            travelling.more,
            travelling.more
          )}
        </p>
      )}
    </div>
  );
}

function FileRow({
  model,
  file,
  travels
}: {
  model: SubmitModel;
  file: { path: string; size: number; why: string };
  travels: boolean;
}): React.JSX.Element {
  return (
    <li className={travels ? '' : 'jp-mod-excluded'}>
      <label>
        <input
          type="checkbox"
          checked={travels}
          onChange={event =>
            model.setExcluded(file.path, !event.target.checked)
          }
        />
        <span dir="auto">{oneLine(file.path)}</span>
      </label>
      <small dir="auto">{file.why}</small>
      <span className="jp-mod-number">{size(file.size)}</span>
    </li>
  );
}
