export { FilterTrie } from './filter-trie.ts';
export { openPeer } from './open-peer.ts';
export { Sinks } from './sinks.ts';
export { Spool } from './spool.ts';
