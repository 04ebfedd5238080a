/** The dialog around the form: it stays open until the job is there, or somebody closes it. */
import { Dialog } from '@jupyterlab/apputils';

import { oneLine } from '../words';
import { SubmitForm } from './form';
import { type ISent, type ISubmitOptions, SubmitModel } from './model';
import { Drafts } from './drafts';

export interface ISubmitDialogOptions extends Omit<ISubmitOptions, 'draft'> {
  /** Where the server is: choices are kept for each by itself. */
  base: string;
}

/** Let somebody choose, and submit; null where that did not come to it. */
export async function openSubmitDialog({
  base,
  ...options
}: ISubmitDialogOptions): Promise<ISent | null> {
  const drafts = new Drafts(base, options.job?.id ?? options.path);
  const model = new SubmitModel({ ...options, draft: drafts.get() });
  const dialog = new SubmitDialog(model);
  const keep = (): void => drafts.set(model.touched ? model.draft : null);
  // at once, for the page may be left or reloaded at any moment
  model.changed.connect(keep);
  model.start();
  await dialog.launch();
  const sent = dialog.sent;
  if (sent !== null) {
    // whoever is refused finds the choices again
    drafts.set(model.draft);
    sent.job.then(
      () => drafts.set(null),
      () => undefined
    );
  }
  dialog.dispose();
  model.dispose();
  return sent;
}

class SubmitDialog extends Dialog<void> {
  constructor(private readonly _model: SubmitModel) {
    const { trans, path, job } = _model;
    const what = oneLine(job?.name ?? path.split('/').at(-1) ?? path);
    super({
      title: trans.__('Run %1 elsewhere', what),
      body: new SubmitForm(_model),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Run') })
      ],
      focusNodeSelector: 'input[type="radio"]:checked'
    });
    this.addClass('jp-hybrid-submit');
    _model.changed.connect(() => this._update());
    this._update();
  }

  /** What was sent; null where nothing was. */
  sent: ISent | null = null;

  override resolve(index = 1): void {
    if (index !== 1) {
      super.resolve(index);
    } else {
      void this._submit();
    }
  }

  override handleEvent(event: Event): void {
    // Enter on a control of the form that has a meaning for it is no submit
    const { target } = event;
    if (
      event instanceof KeyboardEvent &&
      target instanceof HTMLElement &&
      this.node.querySelector('.jp-hybrid-form')?.contains(target) &&
      target.matches('button, summary, textarea') &&
      ['Enter', 'ArrowLeft', 'ArrowRight'].includes(event.key)
    ) {
      return;
    }
    super.handleEvent(event);
  }

  private async _submit(): Promise<void> {
    const model = this._model;
    if (model.problems.length === 0) {
      // nothing is known that stands against it: it is among the jobs from now on
      this.sent = model.send();
      super.resolve(1);
      return;
    }
    const job = await model.submit();
    if (job === null) {
      this._showProblem();
      return;
    }
    const what = { name: job.name, target: job.target };
    this.sent = { what, job: Promise.resolve(job) };
    super.resolve(1);
  }

  /** Bring the first problem into view. */
  private _showProblem(): void {
    requestAnimationFrame(() => {
      this.node
        .querySelector('.jp-hybrid-problems p')
        ?.scrollIntoView({ block: 'nearest' });
    });
  }

  /** Take the focus back where what had it is gone: Escape and Enter would go nowhere. */
  private _keepFocus(): void {
    requestAnimationFrame(() => {
      if (this.isAttached && document.activeElement === document.body) {
        this.node
          .querySelector<HTMLElement>(
            'input[type="radio"]:checked, .jp-Dialog-button.jp-mod-accept'
          )
          ?.focus();
      }
    });
  }

  private _update(): void {
    this._keepFocus();
    const button = this.node.querySelector<HTMLButtonElement>(
      '.jp-Dialog-button.jp-mod-accept'
    );
    const label = button?.querySelector('.jp-Dialog-buttonLabel');
    if (!button || !label) {
      return;
    }
    const { trans, submitting, draft } = this._model;
    const target = oneLine(draft.target);
    const idle = target ? trans.__('Run on %1', target) : trans.__('Run');
    label.textContent = submitting ? trans.__('Sending…') : idle;
    button.setAttribute('aria-disabled', String(submitting));
  }
}
