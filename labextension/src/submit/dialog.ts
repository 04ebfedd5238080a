/** The dialog around the form, which comes back where what it sends is refused. */
import { Dialog } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';

import type { IJob } from '../records';
import type { ISending } from '../tokens';
import { oneLine } from '../words';
import { Drafts } from './drafts';
import { SubmitForm } from './form';
import { withoutHeldEnter } from './keys';
import { type ISubmitOptions, SubmitModel } from './model';
import type { Tell } from './sending';

import '../../style/submit.css';

export interface ISubmitDialogOptions extends Omit<ISubmitOptions, 'draft'> {
  /** Where the server is: choices are kept for each by itself. */
  base: string;
}

/** One notebook's way to a job: a dialog, what it sends, and the dialog again with all in it. */
export class Submitting {
  constructor({ base, ...options }: ISubmitDialogOptions) {
    this._drafts = new Drafts(base, options.subject.key);
    this._model = new SubmitModel({ ...options, draft: this._drafts.get() });
    // at once, for the page may be left or reloaded at any moment
    this._model.changed.connect(model =>
      this._drafts.set(model.touched ? model.draft : null)
    );
  }

  /** What is sent, for people. */
  get sending(): ISending {
    return this._model.sending;
  }

  /** Let somebody choose; true where they want it to be sent. */
  async open(): Promise<boolean> {
    const dialog = new SubmitDialog(this._model);
    this._model.start();
    await dialog.launch();
    this._job = dialog.job;
    this._left = dialog.wanted ? null : dialog.sending;
    dialog.dispose();
    return dialog.wanted;
  }

  /** Send it; rejects where that was refused. */
  async send(tell: Tell): Promise<IJob> {
    // whoever is refused, or leaves meanwhile, finds the choices again
    this._drafts.set(this._model.draft);
    const job = this._job ?? (await this._model.send(tell));
    this._model.dispose();
    this._drafts.set(null);
    return job;
  }

  /** The job of a request that was under way when the dialog was closed; null for none. */
  async late(): Promise<IJob | null> {
    return this._left;
  }

  /** The next dialog says why. */
  refuse(error: Error): void {
    this._model.refuse(error);
  }

  dispose(): void {
    this._model.dispose();
  }

  private readonly _drafts: Drafts;
  private readonly _model: SubmitModel;
  private _job: IJob | null = null;
  private _left: Promise<IJob | null> | null = null;
}

class SubmitDialog extends Dialog<void> {
  constructor(private readonly _model: SubmitModel) {
    const { trans, subject } = _model;
    super({
      title: trans.__('Run %1 elsewhere', oneLine(subject.title)),
      body: new SubmitForm(_model),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Run') })
      ],
      focusNodeSelector: 'input[type="radio"]:checked'
    });
    this.addClass('jp-hybrid-submit');
    _model.changed.connect(this._update);
    this._update();
  }

  /** It shall be sent, or is. */
  wanted = false;
  /** What was sent while the dialog was open. */
  job: IJob | null = null;
  /** What comes of what was sent last while the dialog was open. */
  sending: Promise<IJob | null> | null = null;

  override dispose(): void {
    this._model.changed.disconnect(this._update);
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    // JupyterLab gives the focus to what is drawn later: a key pressed meanwhile is for the dialog
    this.node.tabIndex = -1;
    this.node.focus({ preventScroll: true });
    // why it is here again, where it is
    this._showProblem();
  }

  override resolve(index = 1): void {
    if (index !== 1) {
      super.resolve(index);
    } else {
      void this._submit();
    }
  }

  override handleEvent(event: Event): void {
    if (!(event instanceof KeyboardEvent) || !this._key(event)) {
      super.handleEvent(event);
    }
  }

  protected override onAfterDetach(message: Message): void {
    super.onAfterDetach(message);
    withoutHeldEnter();
  }

  /** True for a key that is no submit, and not for the dialog. */
  private _key(event: KeyboardEvent): boolean {
    const { key, target } = event;
    const form = this.node.querySelector('.jp-hybrid-form');
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- all that Safari tells it by
    if (event.isComposing || event.keyCode === 229) {
      // an input method's: Enter takes its word, Escape takes it back
      return true;
    }
    if (
      target instanceof HTMLElement &&
      form?.contains(target) &&
      target.matches('button, summary, textarea') &&
      ['Enter', 'ArrowLeft', 'ArrowRight'].includes(key)
    ) {
      // it has a meaning for the control
      return true;
    }
    if (key === 'Enter' && event.repeat) {
      // nobody has read a dialog that is opened and sent by one press
      event.preventDefault();
      event.stopPropagation();
      return true;
    }
    if (key === 'Tab' && !event.shiftKey && isAccept(document.activeElement)) {
      // JupyterLab goes to what was first before the form was drawn
      event.preventDefault();
      event.stopPropagation();
      form?.querySelector<HTMLElement>('input, button, summary')?.focus();
      return true;
    }
    return false;
  }

  private async _submit(): Promise<void> {
    const model = this._model;
    if (model.submitting) {
      return;
    }
    // nothing is known that stands against it: it is among the jobs from now on
    if (model.problems.length > 0 || !model.connected) {
      this.sending = model.submit();
      this.job = await this.sending;
      if (this.job === null) {
        this._showProblem();
        return;
      }
    }
    this.wanted = true;
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
          ?.focus({ preventScroll: true });
      }
    });
  }

  private readonly _update = (): void => {
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
  };
}

/** True for the button behind which nothing else can be reached. */
function isAccept(element: Element | null): boolean {
  return element?.matches('.jp-Dialog-button.jp-mod-accept') ?? false;
}
