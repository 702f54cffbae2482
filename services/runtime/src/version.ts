/** The version of Roomcast: of the image, the chart's `appVersion` and every package. */
export const VERSION = '0.1.0'
