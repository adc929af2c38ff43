// SPDX-License-Identifier: BSD-2-Clause
// See svg.h.
#include "svg.h"

#include <errno.h>

void svg_begin(FILE *out, int width, int height, const char *css)
{
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n"
		"<style>text{font-family:sans-serif;fill:#1e293b}.title{font-size:19px;"
		"font-weight:600}.note,.tick{font-size:12px;fill:#475569}.key{font-size:13px}"
		".grid{stroke:#cbd5e1;stroke-width:1}%s</style>\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
		width, height, width, height, css, width, height);
}

void svg_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '"')
			fputs("&quot;", out); // it may stand in an attribute
		else if ((unsigned char)*text < ' ')
			fputc('?', out); // XML knows no such character
		else
			fputc(*text, out);
	}
}

int svg_end(FILE *out)
{
	int failed;

	fputs("</svg>\n", out);
	failed = ferror(out);
	return fclose(out) || failed ? -EIO : 0;
}
