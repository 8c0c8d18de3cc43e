/** This package's version, put in by the build. */
declare const VERSION: string;
