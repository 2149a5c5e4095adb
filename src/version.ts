/** The tool's version, as in package.json (a test compares them). */
export const toolVersion = "0.1.0";
