/** An image's packages against a notebook's needs: in a line, and as a list. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReactElement } from 'react';

import type { IEnvironment, IPackage } from './records';
import { oneLine } from './words';

/** What becomes of the needs, in one line. */
export function packagesLine(
  { image, known, rows, added: versions }: IEnvironment,
  trans: TranslationBundle
): string {
  if (!known) {
    const needs = rows.length;
    return trans._n(
      '%1 needed; nobody has looked into %2 yet',
      '%1 needed; nobody has looked into %2 yet',
      needs,
      oneLine(image)
    );
  }
  const count = (kind: IPackage['kind']): number =>
    rows.filter(row => row.kind === kind).length;
  const [conflicts, missing] = [count('conflict'), count('missing')];
  const added = Object.keys(versions).length || count('layer');
  const kept = count('keep');
  return [
    conflicts > 0
      ? trans._n('%1 conflict', '%1 conflicts', conflicts, conflicts)
      : '',
    missing > 0
      ? trans._n('%1 found nowhere', '%1 found nowhere', missing, missing)
      : '',
    added > 0
      ? trans._n('%1 is added', '%1 are added', added, added)
      : trans.__('nothing is added'),
    kept > 0
      ? trans._n('%1 is the image’s', '%1 are the image’s', kept, kept)
      : ''
  ]
    .filter(words => words !== '')
    .join(' · ');
}

/** Every package with what becomes of it, what a user should know first. */
export function Packages(props: {
  environment: IEnvironment;
  trans: TranslationBundle;
}): ReactElement {
  const { environment, trans } = props;
  const order = ['conflict', 'missing', 'layer', 'keep', ''];
  const { added } = environment;
  const rows = [...environment.rows, ...brought(environment)].sort(
    (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)
  );
  return (
    <div className="jp-hybrid-packages">
      <table>
        <caption>{oneLine(environment.image)}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Package')}</th>
            <th scope="col">{trans.__('Here')}</th>
            <th scope="col">{trans.__('In the image')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <Row
              key={row.name}
              row={row}
              version={added[row.name] ?? ''}
              trans={trans}
            />
          ))}
        </tbody>
      </table>
      {environment.notes.length > 0 && (
        <ul>
          {environment.notes.map(note => (
            <li key={note} dir="auto">
              {note}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What nobody asked for by name, and what is added needs. */
function brought({ rows, added }: IEnvironment): IPackage[] {
  const asked = new Set(rows.map(({ name }) => name));
  return Object.keys(added)
    .filter(name => !asked.has(name))
    .map(name => ({ kind: 'layer', name, here: '', image: '', sentence: '' }));
}

function Row(props: {
  row: IPackage;
  version: string;
  trans: TranslationBundle;
}): ReactElement {
  const { row, version, trans } = props;
  const words = {
    keep: row.image,
    layer: version ? trans.__('%1 (added)', version) : trans.__('is added'),
    conflict: row.image,
    missing: trans.__('missing'),
    '': '?'
  };
  return (
    <>
      <tr className={row.kind === '' ? '' : `jp-mod-${row.kind}`}>
        <th scope="row">
          <bdi>{oneLine(row.name)}</bdi>
        </th>
        <td>
          <bdi>{oneLine(row.here)}</bdi>
        </td>
        <td>
          <bdi>{oneLine(words[row.kind])}</bdi>
        </td>
      </tr>
      {row.sentence !== '' && (
        <tr className="jp-mod-sentence">
          <td colSpan={3} dir="auto">
            {row.sentence}
          </td>
        </tr>
      )}
    </>
  );
}
