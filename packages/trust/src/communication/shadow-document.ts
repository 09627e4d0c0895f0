import { encodeUtf8, isJsonObject, type JsonValue } from '@holdfast/kernel';
import type { ShadowMetadata, ShadowSection, ShadowSections } from '@holdfast/wire/aws-iot';

/** What a shadow says, and when each value was written. */
export interface ShadowDocument {
  readonly state: ShadowSections;
  readonly metadata: ShadowSections<ShadowMetadata>;
}

export interface ShadowDelta {
  readonly state: ShadowSection;
  readonly metadata: ShadowMetadata;
}

type Tree = { readonly [key: string]: JsonValue };

export const EMPTY_DOCUMENT: ShadowDocument = { state: {}, metadata: {} };

const SECTIONS = ['desired', 'reported'] as const;

/** Merges an update: objects attribute by attribute, everything else as a whole; null removes. */
export function mergeShadow(
  document: ShadowDocument,
  patch: ShadowSections<ShadowSection | null>,
  seconds: number,
): ShadowDocument {
  const state: Record<string, ShadowSection> = {};
  const metadata: Record<string, ShadowMetadata> = {};
  for (const section of SECTIONS) {
    const wish = patch[section];
    if (wish === null) continue;
    const before = { values: document.state[section] ?? {}, stamps: document.metadata[section] ?? {} };
    const { values, stamps } = mergeNode(before, wish ?? {}, seconds);
    if (Object.keys(values).length === 0) continue;
    state[section] = values;
    metadata[section] = stamps;
  }
  return { state, metadata };
}

/** What was asked for, with its times, as `/update/accepted` repeats it. */
export function acceptedPart(patch: ShadowSections<ShadowSection | null>, seconds: number) {
  const metadata = SECTIONS.flatMap((section) => {
    const wish = patch[section];
    return wish === undefined ? [] : [[section, wish === null ? null : stampOf(wish, seconds)] as const];
  });
  return { state: patch, metadata: Object.fromEntries(metadata) as ShadowSections<ShadowMetadata | null> };
}

/** What is desired and not reported; undefined when nothing is. */
export function deltaOf({ state, metadata }: ShadowDocument): ShadowDelta | undefined {
  const differing = differenceOf(state.desired ?? {}, state.reported ?? {}, metadata.desired ?? {});
  return Object.keys(differing.state).length === 0 ? undefined : differing;
}

/** Of the state alone: metadata is not counted. */
export function sizeOfState(state: ShadowSections): number {
  return encodeUtf8(JSON.stringify(state)).length;
}

/** An object of a state and its times, which have the same attributes. */
interface Node {
  readonly values: Tree;
  readonly stamps: Tree;
}

const EMPTY_NODE: Node = { values: {}, stamps: {} };

function mergeNode(current: Node, patch: Tree, seconds: number): Node {
  const values = new Map(Object.entries(current.values));
  const stamps = new Map(Object.entries(current.stamps));
  for (const [key, wish] of Object.entries(patch)) {
    const child = wish === null ? undefined : mergeValue(nodeAt(current, key), wish, seconds);
    if (child === undefined) {
      values.delete(key);
      stamps.delete(key);
    } else {
      values.set(key, child.value);
      stamps.set(key, child.stamp);
    }
  }
  return { values: Object.fromEntries(values), stamps: Object.fromEntries(stamps) };
}

/** Undefined when the last attribute of an object was removed: it goes too. One that was sent empty stays. */
function mergeValue(before: Node, wish: JsonValue, seconds: number) {
  if (!isJsonObject(wish)) return { value: wish, stamp: stampOf(wish, seconds) };
  const { values, stamps } = mergeNode(before, wish, seconds);
  if (Object.keys(values).length === 0 && Object.keys(wish).length > 0) return undefined;
  return { value: values, stamp: stamps };
}

/** Looks at the value alone: the time of a plain value is an object as well. */
function nodeAt({ values, stamps }: Node, key: string): Node {
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  const stamp = Object.hasOwn(stamps, key) ? stamps[key] : undefined;
  return isJsonObject(value) && isJsonObject(stamp) ? { values: value, stamps: stamp } : EMPTY_NODE;
}

/** The times of a value: in lists member by member. */
function stampOf(value: JsonValue, seconds: number): JsonValue {
  if (Array.isArray(value)) return value.map((each) => stampOf(each, seconds));
  if (!isJsonObject(value)) return value === null ? null : { timestamp: seconds };
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, stampOf(each, seconds)]));
}

function differenceOf(desired: Tree, reported: Tree, stamps: Tree): ShadowDelta {
  const state: [string, JsonValue][] = [];
  const metadata: [string, JsonValue][] = [];
  for (const [key, wish] of Object.entries(desired)) {
    const said = Object.hasOwn(reported, key) ? reported[key] : undefined;
    const stamp = stamps[key] ?? {};
    if (isJsonObject(wish) && isJsonObject(said)) {
      const below = differenceOf(wish, said, isJsonObject(stamp) ? stamp : {});
      if (Object.keys(below.state).length === 0) continue;
      state.push([key, below.state]);
      metadata.push([key, below.metadata]);
    } else if (said === undefined || !isSame(wish, said)) {
      state.push([key, wish]);
      metadata.push([key, stamp]);
    }
  }
  return { state: Object.fromEntries(state), metadata: Object.fromEntries(metadata) };
}

function isSame(a: JsonValue, b: JsonValue): boolean {
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each as JsonValue, b[at] as JsonValue))
    );
  }
  if (!isJsonObject(a)) return a === b;
  if (!isJsonObject(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([key, each]) => Object.hasOwn(b, key) && isSame(each, b[key] as JsonValue));
}
