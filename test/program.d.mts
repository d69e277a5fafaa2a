/** The path of the program that tests start. */
export declare const programFile: () => string
