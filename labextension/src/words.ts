/** Numbers as people read them; in English the same words as on the command line. */

/** Units of time, with what stands before each: English, and the languages that there are. */
const UNITS = {
  en: { s: ' s', min: ' min', h: ' h', d: ' d', between: ' ' },
  ja: { s: '秒', min: '分', h: '時間', d: '日', between: '' }
};

/**
 * JupyterLab's language (BCP 47), which it notes there for whoever formats something; in the
 * form of the browser's country, where that is in it: dates of English have two.
 */
export function language(): string {
  const lang = (document.documentElement.lang || 'en').replaceAll('_', '-');
  return (
    navigator.languages.find(tag => primary(tag) === primary(lang)) ?? lang
  );
}

function primary(tag: string): string {
  return tag.split('-', 1)[0].toLowerCase();
}

/** A duration: `12.3 s`, `3 min 05 s`, `2 h 10 min`, `1 d 4 h`. */
export function duration(seconds: number): string {
  const value = Math.max(0, seconds);
  const { s, min, h, d, between } = units();
  if (value < 59.95) {
    return `${value.toFixed(1)}${s}`;
  }
  const whole = Math.round(value);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes}${min}${between}${twoDigits(whole % 60)}${s}`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return `${hours}${h}${between}${twoDigits(minutes % 60)}${min}`;
  }
  return `${Math.floor(hours / 24)}${d}${between}${hours % 24}${h}`;
}

/** A duration that counts: whole seconds, so that the first minute does not flicker. */
export function counted(seconds: number): string {
  return seconds < 60
    ? `${Math.floor(seconds)}${units().s}`
    : duration(seconds);
}

function units(): (typeof UNITS)['en'] {
  return language().startsWith('ja') ? UNITS.ja : UNITS.en;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Bytes in powers of 1024: `17 B`, `3.1 MB`, `128 GB`. */
export function size(bytes: number): string {
  if (bytes < 1024) {
    return `${bytes} B`;
  }
  let value = bytes;
  let unit = '';
  for (unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1024;
    if (value < 1000) {
      break;
    }
  }
  return `${value.toFixed(value >= 100 ? 0 : 1)} ${unit}`;
}

/** An amount of money or of whatever unit a site counts in: two digits, more below one. */
export function amount(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.995) {
    return value.toPrecision(2);
  }
  digits ??= new Intl.NumberFormat(language(), {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2
  });
  return digits.format(value);
}

/** Made once: each row of a list has an amount. */
let digits: Intl.NumberFormat | undefined;

/** The end of a job's id, which tells a user's jobs apart. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/**
 * Text of others on one line: line breaks, halves of characters, and what turns the direction of
 * writing or hides characters become visible signs; the rest is left for the browser to show.
 */
export function oneLine(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/g, ' ')
    .replace(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u200b\u2060\ufeff]/gu, '\ufffd')
    .trim();
}
