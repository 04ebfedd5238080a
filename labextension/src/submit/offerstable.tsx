/** The table of what targets can give; choosing a row chooses the target. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useId } from 'react';

import type { IExpected, IOffer } from '../records';
import { amount, duration, oneLine } from '../words';
import type { IDraft } from './draft';
import type { ITargetOffers } from './offers';

export interface IOffersTableProps {
  rows: readonly ITargetOffers[];
  /** How long the notebook ran before, by target. */
  durations: ReadonlyMap<string, IExpected>;
  draft: IDraft;
  onChoose: (target: string, offered: string) => void;
  trans: TranslationBundle;
}

/** Columns appear as soon as a target can tell what is in them. */
interface IColumns {
  starts: boolean;
  lasts: boolean;
  price: boolean;
}

export function OffersTable(props: IOffersTableProps): React.JSX.Element {
  const { rows, durations, trans } = props;
  const offers = rows.flatMap(row => row.offers);
  const columns: IColumns = {
    starts: offers.some(one => one.free_now !== null || one.wait !== null),
    lasts: rows.some(({ target }) => durations.has(target.name)),
    price: offers.some(one => one.price !== null)
  };
  return (
    <table className="jp-hybrid-offers" aria-label={trans.__('Targets')}>
      <thead>
        <tr>
          <th scope="col">{trans.__('Target')}</th>
          <th scope="col">{trans.__('Hardware')}</th>
          {columns.starts && <th scope="col">{trans.__('Starts')}</th>}
          {columns.lasts && <th scope="col">{trans.__('Takes')}</th>}
          {columns.price && (
            <th scope="col" className="jp-mod-number">
              {trans.__('Price per hour')}
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map(row => (
          <TargetRows key={row.target.name} row={row} {...props} {...columns} />
        ))}
      </tbody>
    </table>
  );
}

type RowProps = IOffersTableProps & IColumns & { row: ITargetOffers };

/** A target's offers; where it gives none, why. */
function TargetRows(props: RowProps): React.JSX.Element {
  const { row, draft } = props;
  const here = draft.target === row.target.name;
  const kinds = byKind(row.offers);
  // the kind of a job that names none is left to its target: no row of one kind may stand for it
  const any = kinds.length > 1 && kinds.every(({ kind }) => kind !== '');
  // the first row stays the same element when its offer comes: somebody may be on it
  const choices: IChoice[] =
    any || kinds.length === 0
      ? [{ kind: '', offers: [null] }, ...kinds]
      : kinds;
  const wanted = choices.findIndex(({ kind }) => kind === draft.offered);
  const chosen = Math.max(0, wanted);
  return (
    <>
      {choices.flatMap(({ kind, offers }, choice) =>
        offers.map((offer, index) => (
          <OfferRow
            key={`${choice} ${index}`}
            {...props}
            offer={offer}
            chosen={here && choice === chosen}
            own={kinds.length > 1 ? kind : ''}
            any={any}
            together={index === 0 ? offers.length : 0}
          />
        ))
      )}
    </>
  );
}

interface IChoice {
  /** The kind of GPU that a job asks for; empty where it asks for none. */
  kind: string;
  offers: (IOffer | null)[];
}

/** Offers that are one choice, for a job asks for a kind of GPU and for no place. */
function byKind(offers: readonly IOffer[]): IChoice[] {
  const choices = new Map<string, IChoice>();
  for (const offer of offers) {
    const kind = offer.gpus > 0 ? (offer.gpu_type ?? '') : '';
    const { offers: before } = choices.get(kind) ?? { offers: [] };
    choices.set(kind, { kind, offers: [...before, offer] });
  }
  return [...choices.values()];
}

interface IOneProps {
  offer: IOffer | null;
  chosen: boolean;
  /** The kind of GPU that tells the offer from others of its target; empty where it is alone. */
  own: string;
  /** What has no offer stands for all of its target's. */
  any: boolean;
  /** How many rows, from this on, are one choice; 0 for those below the first of them. */
  together: number;
}

function OfferRow(props: RowProps & IOneProps): React.JSX.Element {
  const { row, offer, chosen, own, trans, onChoose } = props;
  const id = useId();
  const choose = (): void => onChoose(row.target.name, own);
  const span =
    1 + [props.starts, props.lasts, props.price].filter(shown => shown).length;
  const before = props.durations.get(row.target.name);
  return (
    // the radio button in it is what keyboards and screen readers use

    <tr
      className={`${chosen ? 'jp-mod-selected' : ''} ${row.asking ? 'jp-mod-asking' : ''}`}
      onClick={choose}
    >
      {props.together > 0 && (
        <th scope="row" rowSpan={props.together}>
          <label htmlFor={id}>
            <input
              id={id}
              type="radio"
              name="jp-hybrid-offer"
              checked={chosen}
              onChange={choose}
            />
            <span dir="auto">{oneLine(row.target.name)}</span>
          </label>
        </th>
      )}
      {offer === null ? (
        <td colSpan={span} aria-live="polite">
          {props.any ? (
            trans.__('Any of these')
          ) : row.asking ? (
            <span className="jp-hybrid-asking">{trans.__('Asking…')}</span>
          ) : (
            <span className="jp-hybrid-refused" dir="auto">
              {row.problem ||
                (row.heard
                  ? trans.__('Nothing that fits')
                  : trans.__('Not known'))}
            </span>
          )}
        </td>
      ) : (
        <>
          <td>
            <span dir="auto">{oneLine(offer.hardware)}</span>
            {offer.note !== '' && <small dir="auto">{offer.note}</small>}
          </td>
          {props.starts && (
            <td>
              <Starts offer={offer} trans={trans} />
            </td>
          )}
          {props.lasts && (
            <td title={before && runs(before, trans)}>
              {before ? trans.__('about %1', duration(before.seconds)) : ''}
            </td>
          )}
          {props.price && (
            <td className="jp-mod-number">
              {offer.price === null ? '' : amount(offer.price)}
            </td>
          )}
        </>
      )}
    </tr>
  );
}

function runs({ jobs }: IExpected, trans: TranslationBundle): string {
  return trans._n(
    'The last job of this notebook there took so long',
    'Half of the last %1 jobs of this notebook there took longer',
    jobs,
    jobs
  );
}

function Starts({
  offer,
  trans
}: {
  offer: IOffer;
  trans: TranslationBundle;
}): React.JSX.Element | null {
  if (offer.free_now === true) {
    return <span className="jp-hybrid-free">{trans.__('now')}</span>;
  }
  if (offer.wait !== null) {
    const words = duration(offer.wait);
    return <span className="jp-hybrid-busy">{trans.__('in %1', words)}</span>;
  }
  return offer.free_now === false ? (
    <span className="jp-hybrid-busy">{trans.__('when it is free')}</span>
  ) : null;
}
