# coding: utf-8
import sys

print('één', sys.argv)  # trailing blanks follow   
	print('\n')
