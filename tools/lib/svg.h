// SPDX-License-Identifier: BSD-2-Clause
// What every picture of the tools begins and ends with. Coordinates are pixels, from the top left.
#ifndef TOOLS_LIB_SVG_H
#define TOOLS_LIB_SVG_H

#include <stdio.h>

// A white page. Styles: .title, .note, .tick, .key for text, .grid for lines, and those of `css`.
void svg_begin(FILE *out, int width, int height, const char *css);

// Text with XML's own characters escaped.
void svg_text(FILE *out, const char *text);

// Completes the picture and closes the file. 0 or -EIO.
int svg_end(FILE *out);

#endif
