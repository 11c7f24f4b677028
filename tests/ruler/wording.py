"""Files of the original's form with another wording; its own sentences are not in this repository."""

CONSTANTS = """
import os
TASKS = {
    'niah': {'template': '''Some odd {type_needle_v} are there, {as} it is.\\n{context}\\nWhat are all '''
                         '''odd {type_needle_v} of {query}? Compare.''',
             'answer_prefix': ''' The odd {type_needle_v} of {query} are'''},
    'variable_tracking': {'template': '''Follow.\\n\\n{context}\\nWho has {query}?''',
                          'answer_prefix': ''' The {num_v} with {query}: '''},
    'common_words_extraction': {'template': '''Count.\\n{context}\\nName the 10 words.''',
                                'answer_prefix': ''' The 10:'''},
    'freq_words_extraction': {'template': '''Read. {context}\\nName three.''',
                              'answer_prefix': ''' Three:'''},
    'qa': {'template': '''Answer.\\n\\nDocuments.\\n\\n{context}\\n\\nAnswer again.\\n\\nQuestion: {query}''',
           'answer_prefix': ''' Answer:'''},
}
"""
NIAH = """
raise SystemExit("this file must not be run")
needle = "An odd {type_needle_v} for {key} is {value}."
if x == 'essay':
    haystack = open("essay").read()
elif x == 'noise':
    haystack = "Rain falls. Nobody minds."
"""
TRACKING = """
print(f"{number} of {total} = done, {more}")
chain = [f"VAR {names[0]} = {draw()}"]
for j in range(3):
    chain.append(f"VAR {names[j+1]} = VAR {names[j]} ")
"""
FILES = {"constants.py": CONSTANTS, "niah.py": NIAH, "variable_tracking.py": TRACKING}
