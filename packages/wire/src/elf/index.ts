export { decodeElfImage, type ElfImage, isElf } from './elf.ts';
