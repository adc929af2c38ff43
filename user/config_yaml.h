// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads the part of YAML that a configuration needs: mappings with plain keys, lists and text.
 * (Not called yaml.h: that is libyaml's, which -Iuser would hide.)
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "config.h"
#include "config_places.h"

/*
 * Turns a text that passed config_text_check() into a tree whose scalars are all strings, with the
 * place of each value. 0: *tree and *places are the caller's; *errors may still have got errors
 * that leave a tree worth checking (keys given twice, tags, anchors, directives). -EINVAL: no tree;
 * *errors says why. -ENOMEM.
 */
int config_yaml_read(const char *text, size_t length, json_t **tree, struct config_places **places,
		     struct config_errors *errors);
