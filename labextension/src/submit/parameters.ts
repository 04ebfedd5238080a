/** A notebook's parameters as fields of a form. Pure. */
import type { IJobDetail, IParameter, ISubmission } from '../records';

/** What kind of field a parameter gets; `code` is for what only a literal can say. */
export type Kind = 'flag' | 'number' | 'text' | 'code';

export function kindOf({ accepts }: IParameter): Kind {
  if (accepts === null || accepts.length === 0) {
    return 'code';
  }
  if (accepts.every(type => type === 'int' || type === 'float')) {
    return 'number';
  }
  if (accepts.length === 1 && accepts[0] === 'bool') {
    return 'flag';
  }
  return accepts.length === 1 && accepts[0] === 'str' ? 'text' : 'code';
}

/** What stands in the field before somebody types: the notebook's own value. */
export function initialText(parameter: IParameter): string {
  const { value } = parameter;
  switch (kindOf(parameter)) {
    case 'flag':
      return typeof value === 'boolean' ? String(value) : '';
    case 'text':
      return typeof value === 'string' ? value : '';
    case 'number':
      return parameter.default === 'None' ? '' : parameter.default;
    default:
      // as it can be typed: JSON, where Python and JSON write it in different ways
      return typeof value === 'object' && value !== null
        ? JSON.stringify(value)
        : parameter.default;
  }
}

/** What is typed in a field: what somebody wrote, else the notebook's own value. */
export function textOf(
  parameter: IParameter,
  texts: Readonly<Record<string, string>>
): string {
  return texts[parameter.name] ?? initialText(parameter);
}

/** Typed texts without those that say what the notebook says, or that it has no parameter for. */
export function changed(
  parameters: readonly IParameter[],
  texts: Readonly<Record<string, string>>
): Record<string, string> {
  const kept = parameters.filter(parameter => {
    const text = texts[parameter.name] as string | undefined;
    const emptied = text === '' && kindOf(parameter) !== 'text';
    return text !== undefined && text !== initialText(parameter) && !emptied;
  });
  return Object.fromEntries(kept.map(({ name }) => [name, texts[name]]));
}

/** What a submit sends for these fields: text stays text, the rest is read as `-p` reads it. */
export function values(
  parameters: readonly IParameter[],
  texts: Readonly<Record<string, string>>
): Pick<ISubmission, 'parameters' | 'parameter_texts'> {
  const sent: Required<Pick<ISubmission, 'parameters' | 'parameter_texts'>> = {
    parameters: {},
    parameter_texts: {}
  };
  const kinds = new Map(parameters.map(one => [one.name, kindOf(one)]));
  for (const [name, text] of Object.entries(changed(parameters, texts))) {
    switch (kinds.get(name)) {
      case 'text':
        sent.parameters[name] = text;
        break;
      case 'flag':
        sent.parameters[name] = text === 'true';
        break;
      default:
        sent.parameter_texts[name] = text.trim();
    }
  }
  return sent;
}

/** A job's parameters as fields: whoever set them knew what the notebook takes. */
export function parametersOf(job: IJobDetail): IParameter[] {
  return Object.entries(job.parameters).map(([name, value]) => ({
    name,
    type: null,
    value: value ?? null,
    default: typeof value === 'string' ? value : JSON.stringify(value ?? null),
    accepts: acceptedLike(value),
    help: ''
  }));
}

function acceptedLike(value: unknown): string[] | null {
  switch (typeof value) {
    case 'string':
      return ['str'];
    case 'boolean':
      return ['bool'];
    case 'number':
      return ['int', 'float'];
    default:
      return null;
  }
}
